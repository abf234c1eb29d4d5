// An auction: the lot, the highest bid, the time that is left, and what was sold.

import {html, useEffect, useState} from '../vendor/htm-preact.js';
import {Ask, Field, Said, useAsked, useConnection, useDoing} from '../parts.js';

const TICK_MS = 250;

function Left({link, ends}) {
  const [, tick] = useState(0);
  useEffect(() => {
    const every = setInterval(() => tick(n => n + 1), TICK_MS);
    return () => clearInterval(every);
  }, []);
  const s = Math.max(0, Math.ceil((ends - Date.now() - link.clockAhead) / 1000));
  const text = s >= 3600 ? `${Math.floor(s / 3600)} h ${Math.floor(s % 3600 / 60)} min` : s >= 60
    ? `${Math.floor(s / 60)} min ${s % 60} s` : `${s} s`;
  return html`<span class=${s <= 10 ? 'bad' : ''}>${s ? text : 'time is up'}</span>`;
}

function Lot({link, lot}) {
  return html`<dl><div><dt>Highest bid</dt>
      <dd class="big" role="status">${lot.best ? html`${lot.best} by <bdi>${lot.leader}</bdi>`
        : `none; from ${lot.start}`}</dd></div>
    <div><dt>Time left</dt>
      <dd class="big" role="timer"><${Left} link=${link} ends=${lot.ends_ns / 1e6} /></dd></div></dl>`;
}

export default function Auction({link}) {
  const lot = useAsked(link, 'lot');
  const sold = useAsked(link, 'sold', {n: '10'});
  const [act, said] = useDoing(link);
  useConnection(link);
  const {name} = link.introduced('join') || {};
  const open = lot.result, least = open ? Math.max(open.best + 1, open.start) : 0;
  return html`<div class="grid"><section aria-labelledby="lot">
    <div role="status"><h2 id="lot" class="big">${open ? open.name : 'No lot is open'}</h2></div>
    ${open ? html`<${Lot} link=${link} lot=${open} />` : html`<p class="soft">Somebody has to open one, below.</p>`}
    ${name ? open && html`<${Ask} key="bid" act=${act} name="bid" options=${{said: ''}} button="Bid">
        <${Field} label="Your bid" hint=${`${least} or more`} name="bid.amount" inputmode="numeric" pattern="[0-9]*"
          placeholder=${least} required taking /><//>`
      : html`<${Ask} key="join" act=${act} name="join" options=${{introduce: true}} button="Join">
        <${Field} label="Your name" name="join.name" required maxlength="32" /><//>`}
    <${Said} said=${said} quiet link=${link} />
    ${name && html`<p class="soft small">You bid as ${name}${open && open.leader === name
      ? ', and yours is the highest bid' : ''}.</p>`}
    <details><summary>Open a lot</summary><${Ask} act=${act} name="open" button="Open">
      <${Field} label="What is for sale" name="open.name" required maxlength="100" />
      <${Field} label="From" name="open.start" inputmode="numeric" required />
      <${Field} label="Seconds" name="open.seconds" inputmode="decimal" required /><//></details></section>
    <section aria-labelledby="sold"><h2 id="sold">What was sold</h2>
    <ol class="plain">${[...(sold.result || [])].reverse().map((sale, at) => html`<li key=${at}><b>${sale.name}</b>
      ${sale.winner ? ` to ${sale.winner} for ${sale.amount}` : ' not sold'}</li>`)}</ol>
    ${sold.result && !sold.result.length && html`<p class="soft">Nothing yet.</p>`}</section></div>`;
}
