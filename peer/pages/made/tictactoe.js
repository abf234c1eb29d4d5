// Tic-tac-toe: the board of one's game, or the rooms that wait.

import {html, useEffect, useRef, useState} from '../vendor/htm-preact.js';
import {Ask, Field, Said, useAsked, useDoing} from '../parts.js';

const STEP = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -3, ArrowDown: 3};
const SHAPE = {x: 'M22 22L78 78M78 22L22 78', o: 'M50 20a30 30 0 1 0 .01 0z'};

function state(board) {
  const {you, turn, winner} = board;
  if (winner === 'draw') return 'A draw.';
  if (winner) return winner === you ? 'You win!' : 'You lose.';
  if (!turn) return 'Waiting for another player to join…';
  return turn === you ? 'Your turn.' : 'Your opponent\'s turn.';
}

function Board({board, act}) {
  const cells = useRef(null);
  const mine = board.turn === board.you;
  useEffect(() => cells.current.firstChild.focus(), []);
  const move = (event, at) => {
    const step = STEP[event.key] || 0, to = at + step;
    if (!step) return;
    event.preventDefault();
    const leavesRow = Math.abs(step) === 1 && Math.floor(to / 3) !== Math.floor(at / 3);
    if (to < 0 || to > 8 || leavesRow) return;
    cells.current.children[to].focus();
  };
  return html`<div class="board" ref=${cells} role="group" aria-label="The board, three rows of three">
    ${board.cells.map((token, at) => {
      const row = Math.floor(at / 3) + 1, col = at % 3 + 1;
      return html`<button class=${'cell ' + token} key=${at} aria-disabled=${!mine || !!token}
        aria-label=${`row ${row}, column ${col}: ${token || 'empty'}`} onKeyDown=${e => move(e, at)}
        onClick=${() => mine && !token && act('move', {row: String(row), col: String(col)})}>
        <svg viewBox="0 0 100 100" aria-hidden="true">${token && html`<path d=${SHAPE[token]} />`}</svg></button>`;
    })}</div>`;
}

export default function TicTacToe({link}) {
  const board = useAsked(link, 'board');
  const waiting = useAsked(link, 'waiting');
  const [act, said] = useDoing(link);
  const [left, setLeft] = useState(0);
  const leave = async () => { if (await act('leave', {})) setLeft(left + 1); };
  const game = board.result, over = game && game.winner;
  return html`<div class="grid">
    ${game && html`<section aria-labelledby="game"><h2 id="game">Room ${game.room}</h2>
      <p class="big" role="status">${state(game)}</p>
      <p class="soft">You are <b>${game.you}</b>. Arrow keys move between cells.</p>
      <${Board} board=${game} act=${act} />
      <div class="row"><button onClick=${leave}>${over ? 'Leave' : 'Leave the game'}</button></div>
      <${Said} said=${said} quiet link=${link} /></section>`}
    ${(!game || over) && html`<section aria-labelledby="rooms"><h2 id="rooms">${over ? 'Play again' : 'Play'}</h2>
      <${Ask} act=${act} name="create" button="Create"><${Field} label="A new room" name="create.room" required
        taking=${left} /><//>
      <h3>Rooms that wait for a player</h3>
      <ul class="plain">${(waiting.result || []).map(room => html`<li key=${room} class="row"><b>${room}</b>
        <button onClick=${() => act('join', {room})} aria-label=${'Join ' + room}>Join</button></li>`)}</ul>
      ${waiting.result && !waiting.result.length && html`<p class="soft">None: create one, and somebody may join.</p>`}
      ${!game && html`<${Said} said=${said} quiet link=${link} />`}</section>`}</div>`;
}
