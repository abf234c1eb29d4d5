// What all pages are made of: hooks, results, forms, the head and the story of what happens.

import {html, useEffect, useRef, useState} from './vendor/htm-preact.js';

export const ROWS_MAX = 200;  // Of a list that is shown; the rest is counted.
const EVENTS_MAX = 60;
const ASK_AGAIN_MS = 1500;  // What changes without an event is seen so late at most.
const TOGETHER_MS = 40;  // Events that come together are answered by one look.
const NEWS = new Set(['connected', 'done']);
const TOLD = new Set(['server_lost', 'server_followed', 'reign_began', 'handover_began']);

export const luggage = new URLSearchParams(location.hash.slice(1));
if (location.hash) history.replaceState(null, '', location.pathname);
const left = luggage.get('left'), unsure = luggage.getAll('unsure'), undone = luggage.getAll('undone');
// What was typed at the page of a peer that is gone.
export const typed = name => luggage.get(name) || '';

// Draws anew when the connection or who serves changes.
export function useConnection(link) {
  const [, again] = useState(0);
  useEffect(() => link.watch(() => again(n => n + 1)), [link]);
}

// The answer of a query, kept up to date: {result, lines, error}; without news it is asked for again so often.
export function useAsked(link, name, texts = {}, againMs = ASK_AGAIN_MS) {
  const [answer, setAnswer] = useState({});
  const key = JSON.stringify(texts);
  useEffect(() => {
    let ended = false, under = false, later = false, timer = 0;
    const look = async () => {
      if (under) { later = true; return; }
      under = true;
      let found;
      try {
        const {result, lines} = await link.ask(name, JSON.parse(key));
        found = {result, lines};
      } catch (error) { found = {error}; }
      under = false;
      if (ended) return;
      // What went away with the connection comes again with it; until then the last answer stands.
      if (!found.error || found.error.code !== 'gone')
        setAnswer(was => JSON.stringify(was) === JSON.stringify(found) ? was : found);
      if (later) { later = false; soon(); }
    };
    const soon = () => { clearTimeout(timer); timer = setTimeout(look, TOGETHER_MS); };
    look();
    const ends = link.hear(said => { if (said.app || NEWS.has(said.event)) soon(); });
    const every = setInterval(() => { if (!document.hidden && !link.away) look(); }, againMs);
    return () => { ended = true; clearTimeout(timer); clearInterval(every); ends(); };
  }, [link, name, key, againMs]);
  return answer;
}

// Does a command: [do(name, texts), what came of the last one as {busy, text, bad}].
export function useDoing(link) {
  const [said, setSaid] = useState({});
  const act = async (name, texts, options = {}) => {
    setSaid({busy: options.file ? 'Sending the file…' : true});
    try {
      const answer = await (options.introduce ? link.introduce(name, texts) : link.call(name, texts, options));
      setSaid({text: options.said === undefined ? shortly(answer) : options.said});
      return answer;
    } catch (error) {
      // The session ended meanwhile, and with it what was said of oneself.
      if (error.code === 'not_registered') ['register', 'join'].forEach(known => link.forget(known));
      setSaid({text: error.message, bad: true});
      return null;
    }
  };
  return [act, said];
}

const shortly = ({result, lines}) =>
  lines ? lines.join('\n') : typeof result === 'string' ? result : JSON.stringify(result);

// What came of the last command, read out. `quiet`: what went well is to be seen elsewhere.
export function Said({said, quiet, link}) {
  useConnection(link);
  const waits = link.away || link.status && !link.status.server;
  const busy = waits ? 'Waits for a server…' : said.busy !== true && said.busy;
  const text = said.busy ? busy : (said.bad || !quiet) && said.text;
  return html`<p class=${'said' + (said.bad ? ' bad' : '')} role="status">${text}</p>`;
}

const isTable = value => value.every(v => v && typeof v === 'object' && !Array.isArray(v));
const words = name => name.replace(/_ns$/, '').replaceAll('_', ' ');

const inside = value => value && typeof value === 'object' ? JSON.stringify(value) : String(value);

function Cell({name, value}) {
  // Nanoseconds of log time since 1970.
  if (name.endsWith('_ns') && value > 1e17) return html`${new Date(value / 1e6).toLocaleString([], {hour12: false})}`;
  if (value === null || value === '') return html`<span class="soft">nothing</span>`;
  if (typeof value === 'boolean') return html`${value ? 'yes' : 'no'}`;
  if (Array.isArray(value)) return html`${value.map(inside).join(', ') || 'none'}`;
  return html`${inside(value)}`;
}

const COLUMNS = /\S {2,}\S/;  // Lines that stand in columns are scrolled, others wrapped.

// Any result, as it is best seen.
export function Value({result, lines}) {
  const all = lines || result;
  if (Array.isArray(all) && !all.length) return html`<p class="soft">None.</p>`;
  if (lines) return html`<pre tabindex="0" class=${lines.some(line => COLUMNS.test(line)) ? '' : 'prose'}>
    ${lines.slice(0, ROWS_MAX).join('\n')}</pre><${Rest} of=${lines} />`;
  if (Array.isArray(result)) {
    const rows = result.slice(0, ROWS_MAX), names = Object.keys(rows[0]);
    if (!isTable(result)) return html`<ol class="plain">
      ${rows.map(v => html`<li><${Cell} name="" value=${v} /></li>`)}</ol><${Rest} of=${result} />`;
    return html`<div class="scroll" tabindex="0" role="group" aria-label="table"><table><thead><tr>
      ${names.map(n => html`<th scope="col">${words(n)}</th>`)}</tr></thead><tbody>
      ${rows.map(row => html`<tr>${names.map(n => html`<td><${Cell} name=${n} value=${row[n]} /></td>`)}</tr>`)}
      </tbody></table></div><${Rest} of=${result} />`;
  }
  if (result && typeof result === 'object') return html`<dl>${Object.entries(result).slice(0, ROWS_MAX).map(
    ([name, value]) => html`<div key=${name}><dt>${words(name)}</dt>
      <dd><${Cell} name=${name} value=${value} /></dd></div>`)}</dl>`;
  return html`<p class="value"><${Cell} name="" value=${result === undefined ? '' : result} /></p>`;
}
const Rest = ({of}) => of.length > ROWS_MAX ? html`<p class="soft">and ${of.length - ROWS_MAX} more</p>` : null;

// A docstring: what stands between backticks is code.
export function Prose({text}) {
  return html`${text.split(/`+/).map((part, at) => at % 2 ? html`<code>${part}</code>` : part)}`;
}

// A field with its label. It takes the focus when `taking` becomes another: what had it is there no more. `name` is its
// name on the page, under which what is typed goes along to another peer's.
export function Field({label, name, hint, taking, ...rest}) {
  const field = useRef(null);
  useEffect(() => { if (taking) field.current.focus(); }, [taking]);
  return html`<label class="field"><span>${label}${hint && html` <small>${hint}</small>`}</span>
    <input name=${name} autocomplete="off" defaultValue=${typed(name)} ref=${field} ...${rest} /></label>`;
}

// The texts of a form's fields, by name without what stands before the last dot.
export function textsOf(form) {
  return Object.fromEntries([...new FormData(form)].map(([name, value]) => [name.split('.').at(-1), value]));
}

// A form that does one command; cleared when that went well.
export function Ask({act, name, options, button, children}) {
  const submit = async event => {
    event.preventDefault();
    const form = event.currentTarget, texts = textsOf(form);
    if (await act(name, texts, options)) for (const field of form.querySelectorAll('input')) field.value = '';
    // What was refused is typed over.
    else form.querySelector('input').select();
  };
  return html`<form class="row" onSubmit=${submit}>${children}<button>${button}</button></form>`;
}

function Head({link, about}) {
  const s = link.status, server = s && s.server && s.server.name;
  let mark = '◌', text = 'Connecting…', cls = 'doubt';
  if (link.away) {
    [mark, cls] = ['✕', 'bad'];
    text = (link.peer || 'This peer') + ' does not answer. ';
    text += link.trying ? `Trying ${link.trying}…` : 'Looking for a server…';
  } else if (s && !server) {
    [mark, cls] = ['◌', 'bad'];
    text = 'Looking for a server…';
  } else if (s && link.peer) {
    [mark, cls] = ['★', 'good'];
    text = `${server} serves` + (server === link.peer ? '' : `, you are at ${link.peer}`);
  }
  useEffect(() => { document.title = `${link.away || s && !server ? '◌ ' : ''}${about.name} · tanist`; });
  return html`<header><h1>${about.name}</h1><a href="/">the cluster</a>
    <p class=${'link ' + cls} role="status"><span aria-hidden="true">${mark} </span>${text}</p></header>
    ${left && html`<p class="notice" role="status">
      ${left} did not answer: this is ${link.peer || 'another peer'}'s page.
      ${unsure.length > 0 && ` Nobody knows whether this is done, look before you repeat it: ${unsure.join(', ')}.`}
      ${undone.length > 0 && ` Not done: ${undone.join(', ')}.`}
      ${' '}What you had typed is in the forms again; who you were there, say again.</p>`}`;
}

// The page around what is an application's own: its head, all its commands, and what happens.
export function Frame({link, about, generic, children}) {
  useConnection(link);
  return html`<${Head} link=${link} about=${about} />
    <p class="about"><${Prose} text=${about.doc.split('\n\n')[0]} /></p>
    ${children}<${Story} link=${link} aloud=${!generic} />
    ${generic && html`<details class="all"><summary>All commands</summary>${generic}</details>`}`;
}

export const clock = () => new Date().toLocaleTimeString([], {hour12: false});

// What happens is read out where nothing else on the page tells of it.
function Story({link, aloud}) {
  const [events, setEvents] = useState([]);
  useEffect(() => link.hear(said => {
    if (said.app || TOLD.has(said.event) || said.event === 'connected')
      setEvents(was => [{...said, at: clock(), key: (was[0] ? was[0].key : 0) + 1}, ...was].slice(0, EVENTS_MAX));
  }), [link]);
  return html`<section class="story" aria-labelledby="story"><h2 id="story">What happens, newest first</h2>
    <div role=${aloud ? 'log' : null} aria-labelledby="story"><ol id="events" tabindex="0" aria-labelledby="story">
    ${events.map(e => html`<li key=${e.key}><time>${e.at}</time>
      <span class=${e.app ? '' : 'soft'}>${e.line}</span></li>`)}${!events.length && html`<li class="none soft">
      Nothing yet.</li>`}</ol></div></section>`;
}
