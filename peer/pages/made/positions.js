// Where everybody is, drawn moving; a click or the arrow keys move oneself.

import {html, useEffect, useRef, useState} from '../vendor/htm-preact.js';
import {Said, useAsked, useDoing} from '../parts.js';

const REACH_MIN = 10;  // The least that the map shows to each side.
const REACH_MAX = 32768;
const TRAIL = 8;  // Places remembered of each.
const SHOWN = 500;  // Visitors drawn.
const CROWD = 30;  // So many are drawn small.
const HALF = 100;  // Of the drawing's side, in its own units.
const HUES = ['#0062a3', '#b3400a', '#00755a', '#8a3a8a', '#8a5a00', '#4a4ac0', '#a3224f', '#3d6b00'];
const STEP = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]};

// A map that shows all: 10, 20, 50, 100, … to each side.
function reachOf(places) {
  const far = Math.max(REACH_MIN, ...places.map(p => Math.max(Math.abs(p.x), Math.abs(p.y))));
  for (let ten = 1; ; ten *= 10) for (const n of [1, 2, 5]) if (n * ten >= far) return Math.min(n * ten, REACH_MAX);
}

function Visitor({place, trail, scale, mine}) {
  const x = place.x * scale, y = -place.y * scale, hue = HUES[place.code % HUES.length];
  return html`<g><polyline points=${trail.map(p => `${p.x * scale},${-p.y * scale}`).join(' ')} stroke=${hue} />
    <g class="visitor" style=${{transform: `translate(${x}px, ${y}px)`}}><circle r=${mine ? 5 : 4} fill=${hue} />
    <text y=${y < -80 ? 13 : -7} class=${x > 75 ? 'end' : x < -75 ? 'begin' : ''} fill=${hue}>
      ${place.code}${mine ? ' (you)' : ''}</text></g></g>`;
}

export default function Positions({link}) {
  const everybody = useAsked(link, 'everybody');
  const [act, said] = useDoing(link);
  const [code, setCode] = useState(0);
  const trails = useRef(new Map()), map = useRef(null);
  const places = (everybody.result || []).slice(0, SHOWN), reach = reachOf(places), scale = (HALF - 8) / reach;
  useEffect(() => link.hear(said => { if (said.event === 'connected') setCode(0); }), [link]);
  for (const place of places) {
    const trail = trails.current.get(place.code) || [], last = trail.at(-1);
    if (!last || last.x !== place.x || last.y !== place.y)
      trails.current.set(place.code, [...trail, place].slice(-TRAIL));
  }
  for (const gone of [...trails.current.keys()]) if (!places.some(p => p.code === gone)) trails.current.delete(gone);
  const me = places.find(p => p.code === code);
  const go = async (x, y) => {
    const bounded = v => String(Math.max(-REACH_MAX, Math.min(REACH_MAX - 1, Math.round(v))));
    const answer = await act('move', {x: bounded(x), y: bounded(y)}, {said: ''});
    if (answer) setCode(answer.result);
  };
  const click = event => {
    const box = map.current.getBoundingClientRect(), unit = 2 * HALF / box.width;
    go(((event.clientX - box.left) * unit - HALF) / scale, (HALF - (event.clientY - box.top) * unit) / scale);
  };
  const press = event => {
    if (!STEP[event.key]) return;
    event.preventDefault();
    const [dx, dy] = STEP[event.key], step = Math.max(1, Math.round(reach / 20));
    go((me ? me.x : 0) + dx * step, (me ? me.y : 0) + dy * step);
  };
  return html`<div class="grid"><section aria-labelledby="map-title"><h2 id="map-title">The map</h2>
    <p class="soft">Click somewhere to be there; with the map in focus, arrow keys move you.</p>
    <svg class=${'map' + (places.length > CROWD ? ' crowd' : '')} ref=${map} viewBox="-100 -100 200 200" tabindex="0"
      role="application" aria-labelledby="map-title" aria-describedby="places" onClick=${click} onKeyDown=${press}>
      <path class="axes" d="M-100 0H100M0-100V100M92-3V3M-3-92H3" />
      <text class="axis" x="92" y="-5">${reach}</text>
      <text class="axis begin" x="5" y="-89">${reach}</text>
      ${places.map(place => html`<${Visitor} key=${place.code} place=${place} trail=${trails.current.get(place.code)}
        scale=${scale} mine=${place.code === code} />`)}</svg><${Said} said=${said} quiet link=${link} /></section>
    <section aria-labelledby="places"><h2 id="places">Who is where</h2>
    <div class="plain" tabindex="0" role="group" aria-labelledby="places"><ul class="columns">
      ${places.map(p => html`<li key=${p.code}>${p.code}${p.code === code ? ' (you)' : ''} at ${p.x}, ${p.y}</li>`)}
      </ul></div>
    ${everybody.result && !places.length && html`<p class="soft">Nobody is anywhere yet.</p>`}</section></div>`;
}
