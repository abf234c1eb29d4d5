// A poll: a bar for each option, and a button to vote for it.

import {html, useState} from '../vendor/htm-preact.js';
import {Ask, Field, Said, useAsked, useDoing} from '../parts.js';

export default function Poll({link}) {
  const results = useAsked(link, 'results');
  const [act, said] = useDoing(link);
  const [mine, setMine] = useState({});
  const tally = results.result;
  if (!tally) return html`<section><h2>${results.error ? results.error.message : '…'}</h2></section>`;
  const total = tally.votes.reduce((sum, n) => sum + n, 0), most = Math.max(1, ...tally.votes);
  const chosen = mine.question === tally.question ? mine.n : 0;
  const vote = async n => {
    if (await act('vote', {n: String(n)})) setMine({question: tally.question, n});
  };
  return html`<div class="grid"><section class="wide" aria-labelledby="question">
    <h2 id="question" class="big">${tally.question}</h2>
    <ul class="bars">${tally.options.map((option, at) => {
      const votes = tally.votes[at], share = total ? Math.round(100 * votes / total) : 0;
      return html`<li key=${option}><div class="name">${chosen === at + 1 && '✓ '}${option}</div>
        <div class="count">${votes} ${votes === 1 ? 'vote' : 'votes'}, ${share} %</div>
        <div class="bar" aria-hidden="true"><i style=${{width: `${100 * votes / most}%`}}></i></div>
        ${!chosen && html`<button onClick=${() => vote(at + 1)} aria-label=${'Vote for ' + option}>Vote</button>`}
        </li>`;
    })}</ul>
    <p class="soft" role="status">${total} ${total === 1 ? 'vote' : 'votes'} so far${chosen ? '; yours is in' : ''}.</p>
    <${Said} said=${said} quiet link=${link} />
    <details><summary>Ask something else</summary>
    <${Ask} act=${act} name="ask" button="Ask">
    <${Field} label="Question" name="ask.question" required maxlength="200" />
    <${Field} label="Options" hint="between commas" name="ask.options" required /><//></details></section></div>`;
}
