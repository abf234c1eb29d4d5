// The machines, ranked: the one that serves, and all of them with what they have to do and to spare.

import {html} from '../vendor/htm-preact.js';
import {useAsked} from '../parts.js';

const HIGH = 90;  // Percent.
const STATES = {server: ['good', '● serves'], client: ['good', '● in the cluster'], host: ['good', '● reports'],
  silent: ['bad', '✕ silent']};

const UNCUT = {whiteSpace: 'nowrap', overflowWrap: 'normal'};  // A narrow screen scrolls the table instead.

const whole = n => Math.round(n).toLocaleString('en');
const some = n => n.toLocaleString('en', {maximumFractionDigits: n < 100 ? 1 : 0});

function Used({percent, children}) {
  return html`<td class="load" style=${UNCUT}><span>${children}</span>
    <div class=${'bar' + (percent >= HIGH ? ' high' : '')} aria-hidden="true">
    <i style=${{width: `${Math.min(percent, 100)}%`}}></i></div></td>`;
}

function Machine({rank, name, load, status}) {
  const [mood, said] = STATES[status];
  return html`<tr class=${status === 'silent' ? 'silent' : ''}><td>${rank}</td>
    <th scope="row">${name}<small class=${mood}>${said}</small></th>
    <${Used} percent=${load.cpu}>${load.cpu.toFixed(1)} %<//>
    <${Used} percent=${100 * load.ram / load.total}>${whole(load.ram)} of ${whole(load.total)}<//>
    <td>${some(load.bandwidth)}</td><td>${some(load.disk)}</td></tr>`;
}

export default function Hosts({link}) {
  const {result, error} = useAsked(link, 'table');
  if (!result) return html`<section><h2>${error ? error.message : '…'}</h2></section>`;
  const {server, clients} = result;
  return html`<div class="stack"><section aria-labelledby="device"><h2 id="device">Device information</h2>
    ${server ? html`<dl><dt>Server</dt><dd>${server.name}, rank ${server.rank} of ${clients.length}</dd>
      <dt>CPU</dt><dd>${server.load.cpu.toFixed(1)} %</dd>
      <dt>RAM</dt><dd>${whole(server.load.ram)} of ${whole(server.load.total)} MB</dd>
      <dt>Bandwidth</dt><dd>${some(server.load.bandwidth)} MB free</dd>
      <dt>Disk</dt><dd>${some(server.load.disk)} GB free</dd></dl>`
    : html`<p>The server has not reported yet.</p>`}</section>
    <section aria-labelledby="clients"><h2 id="clients">Clients</h2>
    <div class="scroll" tabindex="0" role="group" aria-labelledby="clients"><table class="loads"><thead><tr>
      ${['Rank', 'Machine', 'CPU', 'RAM, MB', 'Bandwidth, MB', 'Disk, GB'].map(h =>
        html`<th scope="col" style=${UNCUT}>${h}</th>`)}</tr></thead>
      <tbody>${clients.map(machine => html`<${Machine} key=${machine.rank} ...${machine} />`)}</tbody></table></div>
    </section></div>`;
}
