// A poll: a bar for each option, and a button to vote for it.

import {html, useEffect, useRef, useState} from '../vendor/htm-preact.js';
import {Ask, Field, Said, typed, useAsked, useDoing} from '../parts.js';

// What this person voted for, kept while the page is loaded again, and taken along to another peer's: a vote outlives
// the session that it was given in.
const KEPT = 'poll.mine', NOT_YET = {question: '', n: 0};
function kept() {
  try { return JSON.parse(typed(KEPT) || sessionStorage.getItem(KEPT)) || NOT_YET; } catch (e) { return NOT_YET; }
}

export default function Poll({link}) {
  const results = useAsked(link, 'results');
  const [act, said] = useDoing(link);
  const [mine, setMine] = useState(kept);
  const told = useRef(null);
  const tally = results.result;
  const nobody = tally && tally.votes.every(n => n === 0);
  // Asked anew, maybe in the same words.
  useEffect(() => link.hear(said => { if (said.event === 'asked') setMine(NOT_YET); }), [link]);
  useEffect(() => { if (nobody) setMine(NOT_YET); }, [nobody]);
  useEffect(() => {
    try { sessionStorage.setItem(KEPT, JSON.stringify(mine)); } catch (e) { /* Forbidden here. */ }
  }, [mine]);
  if (!tally) return html`<section><h2>${results.error ? results.error.message : '…'}</h2></section>`;
  const total = tally.votes.reduce((sum, n) => sum + n, 0);
  const chosen = mine.question === tally.question ? mine.n : 0;
  const vote = async n => {
    if (!await act('vote', {n: String(n)})) return;
    setMine({question: tally.question, n});
    told.current.focus();  // The button that had it is there no more.
  };
  return html`<div class="grid"><section class="wide" aria-labelledby="question">
    <h2 id="question" class="big">${tally.question}</h2>
    <input type="hidden" name=${KEPT} value=${JSON.stringify(mine)} />
    <ul class="bars">${tally.options.map((option, at) => {
      const votes = tally.votes[at], share = total ? Math.round(100 * votes / total) : 0;
      return html`<li key=${option}><div class="name">${chosen === at + 1 && '✓ '}${option}</div>
        <div class="count">${votes} ${votes === 1 ? 'vote' : 'votes'}, ${share} %</div>
        <div class="bar" aria-hidden="true"><i style=${{width: `${share}%`}}></i></div>
        ${!chosen && html`<button onClick=${() => vote(at + 1)} aria-label=${'Vote for ' + option}>Vote</button>`}
        </li>`;
    })}</ul>
    <p class="soft" role="status" ref=${told} tabindex="-1">
      ${total} ${total === 1 ? 'vote' : 'votes'} so far${chosen ? '; yours is in' : ''}.</p>
    <${Said} said=${said} quiet link=${link} />
    <details><summary>Ask something else</summary>
    <${Ask} act=${act} name="ask" button="Ask">
    <${Field} label="Question" name="ask.question" required maxlength="200" />
    <${Field} label="Options" hint="between commas" name="ask.options" required /><//></details></section></div>`;
}
