// The page of any application, from what its peer tells of it: answers that stay up to date, and a form for everything.

import {html, useState} from './vendor/htm-preact.js';
import {Prose, Said, Value, typed, useAsked, useDoing} from './parts.js';

const words = name => name.replaceAll('_', ' ');

// How an argument is given, by what its peer tells of it.
export function kindOf({type, choices, json}) {
  if (choices || type === 'bool | None') return 'choice';
  if (json) return 'json';
  const plain = {int: 'whole', float: 'number', bool: 'yes', Blob: 'file'};
  return plain[type.replace(' | None', '')] || 'text';
}
const HINT = {whole: 'a whole number', number: 'a number', json: 'JSON'};
const FLAGS = ['true', 'false'];
const unquoted = text => text.replace(/^'(.*)'$/, '$1').replace(/^<.*: (.*)>$/, (_, value) => unquoted(value));

// A file's name is the argument `name`, until somebody types another.
function nameIt(event, at) {
  const [file] = event.currentTarget.files, field = event.currentTarget.form.elements[at + '.name'];
  if (file && field && (!field.value || field.value === field.dataset.file))
    field.value = field.dataset.file = file.name;
}

function Argument({argument, at}) {
  const {name, required, secret, choices = FLAGS} = argument, kind = kindOf(argument);
  const given = required || argument.default === 'None' ? '' : unquoted(argument.default);
  const hints = [HINT[kind], required ? '' : 'may be left out'].filter(Boolean).join(', ');
  const label = html`<span>${words(name)} <small>${hints}</small></span>`;
  const field = `${at}.${name}`;
  if (kind === 'yes') return html`<label class="field check"><input type="checkbox" name=${field} value="true"
    defaultChecked=${given === 'True'} /><span>${words(name)}</span></label>`;
  const chosen = (typed(field) || given).toLowerCase();
  if (kind === 'choice') return html`<label class="field">${label}<select name=${field}>
    ${!required && !given && html`<option value="">left out</option>`}
    ${choices.map(c => html`<option value=${c} selected=${c.toLowerCase() === chosen}>${c}</option>`)}
    </select></label>`;
  if (kind === 'file') return html`<label class="field">${label}<input type="file" name=${field} required=${required}
    onChange=${event => nameIt(event, at)} /></label>`;
  if (kind === 'json') return html`<label class="field">${label}<textarea name=${field} rows="3" spellcheck=${false}
    defaultValue=${typed(field)} required=${required}></textarea></label>`;
  return html`<label class="field">${label}<input name=${field} type=${secret ? 'password' : 'text'} autocomplete="off"
    inputmode=${{whole: 'numeric', number: 'decimal'}[kind]} placeholder=${given} defaultValue=${typed(field)}
    required=${required && kind !== 'text'} /></label>`;
}

// What was typed, by name; what may be left out and was, is. An unticked box is a no.
function textsFrom(form, operation, at) {
  const data = new FormData(form), texts = {};
  for (const argument of operation.arguments) {
    const {name, required} = argument, kind = kindOf(argument), value = data.get(`${at}.${name}`);
    if (kind === 'yes') texts[name] = value ? 'true' : 'false';
    else if (kind !== 'file' && (value || required)) texts[name] = value || '';
  }
  return texts;
}

function Arguments({operation}) {
  return operation.arguments.map(a => html`<${Argument} key=${a.name} argument=${a} at=${operation.name} />`);
}

function Title({operation, id}) {
  return html`<h3 id=${id}>${words(operation.name)}</h3><p class="soft small"><${Prose} text=${operation.doc} /></p>`;
}

// An answer; bytes are for saving.
function Answer({link, operation, texts, answer}) {
  const {result} = answer;
  if (!operation.returns.split(' | ').includes('Blob')) return html`<${Value} ...${answer} />`;
  if (!result) return html`<p class="soft">There is none.</p>`;
  const name = (Object.values(texts).at(-1) || link.app).split('/').at(-1);
  return html`<p><a class="button" download=${name} href=${link.addressOf(operation.name, texts)}>Save ${name}${' '}
    <small>${result.size.toLocaleString()} ${result.size === 1 ? 'byte' : 'bytes'}</small></a></p>`;
}

function Command({link, operation, isCommand}) {
  const [answer, setAnswer] = useState(null);
  const [act, said] = useDoing(link);
  const id = 'do-' + operation.name;
  // A secret is prepared anew each time it is said, so that it cannot be told from another one: not repeated by itself.
  const repeat = isCommand && !operation.arguments.some(argument => argument.secret);
  const submit = async event => {
    event.preventDefault();
    const form = event.currentTarget, texts = textsFrom(form, operation, operation.name);
    const chosen = form.querySelector('input[type=file]'), file = chosen && chosen.files[0];
    setAnswer(null);
    const told = await act(operation.name, texts, {repeat, file, said: ''});
    if (!told) return;
    setAnswer({...told, texts});
    for (const field of form.querySelectorAll('input:not([type=checkbox]), textarea')) field.value = '';
  };
  return html`<form class="operation" aria-labelledby=${id} onSubmit=${submit}>
    <${Title} operation=${operation} id=${id} />
    <div class="row"><${Arguments} operation=${operation} />
    <button>${isCommand ? words(operation.name) : 'look'}</button></div>
    <div class="answer" role="status">${answer && html`<${Answer} link=${link} operation=${operation}
      texts=${answer.texts} answer=${answer} />`}</div><${Said} said=${said} link=${link} /></form>`;
}

function Live({link, operation}) {
  const [texts, setTexts] = useState({});
  const answer = useAsked(link, operation.name, texts);
  const id = 'now-' + operation.name;
  const change = event => setTexts(textsFrom(event.currentTarget, operation, operation.name));
  const {error} = answer;
  return html`<div class="operation" role="group" aria-labelledby=${id}><${Title} operation=${operation} id=${id} />
    ${operation.arguments.length > 0 && html`<form class="row" onInput=${change} onSubmit=${e => e.preventDefault()}>
      <${Arguments} operation=${operation} /></form>`}
    ${error && html`<p class="soft">${error.message}</p>`}
    ${'result' in answer && html`<${Answer} link=${link} operation=${operation} texts=${texts} answer=${answer} />`}
    </div>`;
}

// Forms and answers without a frame.
export function Generic({link, about}) {
  const live = about.queries.filter(q => q.arguments.every(a => !a.required));
  const rest = about.queries.filter(q => !live.includes(q));
  return html`<div class="grid">${about.queries.length > 0 && html`<div class="stack">
    ${live.length > 0 && html`<section aria-labelledby="h-now"><h2 id="h-now">As it is now</h2>
      ${live.map(o => html`<${Live} key=${o.name} link=${link} operation=${o} />`)}</section>`}
    ${rest.length > 0 && html`<section aria-labelledby="h-look"><h2 id="h-look">Look up</h2>
      ${rest.map(o => html`<${Command} key=${o.name} link=${link} operation=${o} />`)}</section>`}</div>`}
    ${about.commands.length > 0 && html`<section aria-labelledby="h-do"><h2 id="h-do">Do</h2>
      ${about.commands.map(o => html`<${Command} key=${o.name} link=${link} operation=${o} isCommand />`)}
      </section>`}</div>`;
}
