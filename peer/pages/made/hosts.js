// The machines, ranked: the one that serves, and all of them with what they have to do and to spare.

import {html} from '../vendor/htm-preact.js';
import {useAsked} from '../parts.js';

const LOOK_MS = 2000;  // Machines report every 2 s: what is shown is 4 s old at most.
const HIGH = 90;  // Percent.
const COLUMNS = ['Rank', 'Name', 'CPU %', 'RAM MB', 'Bandwidth MB free', 'Disk GB free', 'Status'];
const UNCUT = {whiteSpace: 'nowrap', overflowWrap: 'normal'};  // A narrow screen scrolls the table instead.

const whole = n => Math.round(n).toLocaleString('en');
const some = n => n.toLocaleString('en', {maximumFractionDigits: n < 100 ? 1 : 0});
const MEANS = {client: 'of the cluster', host: 'reports from outside', silent: 'two pulses missed'};

function Used({percent, children}) {
  return html`<td class="load" style=${UNCUT}><span>${children}</span>
    <div class=${'bar' + (percent >= HIGH ? ' high' : '')} aria-hidden="true">
    <i style=${{width: `${Math.min(percent, 100)}%`}}></i></div></td>`;
}

function Machine({rank, name, load, status}) {
  const silent = status === 'silent', mark = silent ? '✕' : status === 'server' ? '★' : '●';
  return html`<tr class=${silent ? 'silent' : ''}><td>${rank}</td>
    <th scope="row"><span class=${silent ? 'bad' : 'good'} aria-hidden="true">${mark} </span>${name}</th>
    <${Used} percent=${load.cpu}>${load.cpu.toFixed(1)}<//>
    <${Used} percent=${100 * load.ram / load.total}>${whole(load.ram)} of ${whole(load.total)}<//>
    <td>${some(load.bandwidth)}</td><td>${some(load.disk)}</td>
    <td style=${UNCUT}>${status}<small class=${silent ? 'bad' : 'soft'}>${MEANS[status]}</small></td></tr>`;
}

export default function Hosts({link}) {
  const {result, error} = useAsked(link, 'table', {}, LOOK_MS);
  if (!result) return html`<section><h2>${error ? error.message : '…'}</h2></section>`;
  const {server, clients} = result;
  return html`<div class="stack"><section aria-labelledby="device"><h2 id="device">Device information</h2>
    ${server ? html`<dl>${Object.entries({Server: `${server.name}, rank ${server.rank} of ${clients.length}`,
      CPU: `${server.load.cpu.toFixed(1)} %`, RAM: `${whole(server.load.ram)} of ${whole(server.load.total)} MB`,
      Bandwidth: `${some(server.load.bandwidth)} MB free`, Disk: `${some(server.load.disk)} GB free`}).map(
      ([what, fact]) => html`<div key=${what}><dt>${what}</dt><dd>${fact}</dd></div>`)}</dl>`
    : html`<p>The server has not reported yet.</p>`}</section>
    <section aria-labelledby="clients"><h2 id="clients">Clients</h2>
    ${clients.length > 0 ? html`<div class="scroll" tabindex="0" role="group" aria-labelledby="clients">
      <table class="loads"><thead><tr>${COLUMNS.map(name => html`<th scope="col" style=${UNCUT}>${name}</th>`)}</tr>
      </thead><tbody>${clients.map(one => html`<${Machine} key=${one.rank} ...${one} />`)}</tbody></table></div>`
    : html`<p>No machine has reported yet.</p>`}</section></div>`;
}
