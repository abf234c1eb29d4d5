// The machines: a row each, with bars; who fell silent is marked.

import {html} from '../vendor/htm-preact.js';
import {Said, useAsked, useDoing} from '../parts.js';

const HIGH = 90;  // Percent.

function Load({percent}) {
  return html`<td class="load"><span>${percent.toFixed(percent < 100 ? 1 : 0)} %</span>
    <div class=${'bar' + (percent >= HIGH ? ' high' : '')} aria-hidden="true">
    <i style=${{width: `${percent}%`}}></i></div></td>`;
}

export default function Monitor({link}) {
  const report = useAsked(link, 'report');
  const [act, said] = useDoing(link);
  const machines = report.result ? report.result.machines : [];
  const silent = machines.filter(m => m.silent).length;
  return html`<div class="grid"><section class="wide" aria-labelledby="machines"><h2 id="machines">Machines</h2>
    <p class="soft" role="status">${machines.length} ${machines.length === 1 ? 'machine' : 'machines'},
      ${' '}${silent || 'none'} silent.</p>
    ${machines.length > 0 && html`<div class="scroll" tabindex="0" role="group" aria-labelledby="machines">
      <table class="loads"><thead><tr>
      ${['Machine', 'CPU', 'RAM', 'Disk'].map(h => html`<th scope="col">${h}</th>`)}</tr></thead><tbody>
      ${machines.map(m => html`<tr key=${m.name} class=${m.silent ? 'silent' : ''}><th scope="row">${m.name}
        ${m.silent ? html`<small class="bad">✕ silent</small><button onClick=${() => act('forget', {name: m.name})}
          aria-label=${'Forget ' + m.name}>Forget</button>` : html`<small class="good">● reports</small>`}</th>
        <${Load} percent=${m.cpu} /><${Load} percent=${m.ram} /><${Load} percent=${m.disk} /></tr>`)}
      </tbody></table></div>`}
    ${report.result && !machines.length && html`<p>No machine has reported yet.</p>`}
    <${Said} said=${said} quiet link=${link} /></section></div>`;
}
