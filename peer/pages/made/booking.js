// Seats: a free one is booked by a click, one's own given back by another.

import {html, useRef, useState} from '../vendor/htm-preact.js';
import {Field, Said, useAsked, useDoing} from '../parts.js';

const ROW = 8;  // Seats in a row.
const MARK = {free: '', booked: '✕', yours: '★'};
const STEP = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -ROW, ArrowDown: ROW};

export default function Booking({link}) {
  const seats = useAsked(link, 'seats');
  const [act, said] = useDoing(link);
  const [at, setAt] = useState(0);
  const hall = useRef(null), word = useRef(null);
  const all = seats.result || [];
  const count = state => all.filter(seat => seat.state === state).length;
  const press = seat => {
    const name = seat.state === 'free' ? 'book' : 'cancel', n = String(seat.number);
    const text = word.current.querySelector('input').value;
    act(name, {n, word: text}, {said: name === 'book' ? `Seat ${n} is yours.` : `Seat ${n} is free again.`});
  };
  const move = event => {
    const to = at + (STEP[event.key] || 0);
    if (!STEP[event.key] || !all[to]) return;
    event.preventDefault();
    setAt(to);
    hall.current.children[to].focus();
  };
  return html`<div class="grid"><section class="wide" aria-labelledby="seats"><h2 id="seats">Seats</h2>
    <p class="soft" role="status">${count('free')} free, ${count('booked')} booked, ${count('yours')} yours (★).
      ${' '}A click books a free one, and gives one of yours back. Arrow keys move.</p>
    <p class="stage" aria-hidden="true">stage</p>
    <div class="seats" ref=${hall} role="group" aria-label=${`Seats in rows of ${ROW}`} onKeyDown=${move}>
      ${all.map((seat, i) => html`<button key=${seat.number} class=${'seat ' + seat.state}
        tabindex=${i === at ? 0 : -1} onFocus=${() => setAt(i)} onClick=${() => press(seat)}
        aria-label=${`Seat ${seat.number}, ${seat.state}`}>${seat.number}
        <span aria-hidden="true">${MARK[seat.state]}</span></button>`)}</div>
    <${Said} said=${said} link=${link} />
    <div class="row" ref=${word}><${Field} label="A word of yours" name="book.word" maxlength="64"
      hint="with it you can give a seat back from elsewhere too" /></div></section></div>`;
}
