// The lantern, as every one that is connected shines now.

import {html, useEffect, useRef} from '../vendor/htm-preact.js';
import {Said, useAsked, useDoing} from '../parts.js';

function Drawing({on, color}) {
  const glass = on ? '#' + color : '#3a3a3a';
  const how = on ? `The lantern shines, #${color}` : 'The lantern is dark';
  return html`<svg class="lantern" viewBox="0 0 200 240" role="img" aria-label=${how}>
    <defs><radialGradient id="halo"><stop offset="0" stop-color=${glass} stop-opacity=".85" />
    <stop offset="1" stop-color=${glass} stop-opacity="0" /></radialGradient></defs>
    ${on && html`<circle cx="100" cy="125" r="100" fill="url(#halo)" />`}
    <path d="M100 8a14 14 0 0 1 14 14v12H86V22a14 14 0 0 1 14-14z" fill="none" stroke="currentColor" stroke-width="5" />
    <path d="M58 62l16-28h52l16 28z" fill="currentColor" /><path class="glass" d="M62 66h76l10 112H52z" fill=${glass} />
    <path d="M62 66h76l10 112H52zM100 66v112M57 122h86" fill="none" stroke="currentColor" stroke-width="5" />
    <path d="M44 180h112v16H44zM58 196h84v14H58z" fill="currentColor" /></svg>`;
}

export default function Lantern({link}) {
  const lantern = useAsked(link, 'lantern');
  const [act, said] = useDoing(link);
  const picker = useRef(null), picking = useRef(false);
  const {on, color} = lantern.result || {on: false, color: 'ffffff'};
  // Not while somebody chooses: what is chosen comes when it is.
  useEffect(() => { if (!picking.current) picker.current.value = '#' + color; });
  const tell = (command, value = '') => act('message', {command, value});
  const pick = event => { picking.current = false; tell('COLOR', event.currentTarget.value.slice(1)); };
  return html`<section class="hang" aria-labelledby="how"><${Drawing} on=${on} color=${color} />
    <div role="status"><h2 id="how">${on ? `It shines, #${color}` : 'It is dark'}</h2></div>
    <div class="row"><button aria-pressed=${on} onClick=${() => tell('ON')}>On</button>
    <button aria-pressed=${!on} onClick=${() => tell('OFF')}>Off</button>
    <label class="button">Colour <input type="color" ref=${picker}
      onInput=${() => { picking.current = true; }} onChange=${pick} /></label></div>
    <${Said} said=${said} quiet link=${link} /></section>`;
}
