// Pointer, wheel, touch, keys and buttons; and the start of it all.

const CLICK_PX = 4; // A pointer that moved less has chosen, not dragged.
const fingers = new Map();
let drag = null;

const pointOf = event => {
  const frame = chart.getBoundingClientRect();
  return [(event.clientX - frame.left) * place.width / frame.width, (event.clientY - frame.top) * place.height / frame.height];
};
const reachOf = event => event.pointerType === 'mouse' ? 6 : 16; // A finger is broad.

chart.onpointerdown = event => {
  if (event.button) return;
  chart.setPointerCapture(event.pointerId);
  fingers.set(event.pointerId, pointOf(event));
  const [x, y] = pointOf(event);
  drag = {x, y, from: view.from, to: view.to, moved: false, box: event.shiftKey && fingers.size === 1, pinch: pinchOf()};
};

/** Two fingers: how far apart they are, and what moment lies between them. */
function pinchOf() {
  if (fingers.size !== 2) return null;
  const [[a], [b]] = fingers.values();
  return {apart: Math.max(20, Math.abs(a - b)), at: atOf((a + b) / 2), length: view.to - view.from};
}

chart.onpointermove = event => {
  const [x, y] = pointOf(event);
  state.cursor = x >= view.left ? atOf(x) : null;
  if (!drag || !fingers.has(event.pointerId)) {
    const target = event.pointerType === 'mouse' ? under(x, y, reachOf(event)) : null;
    state.hover = target;
    showTip(target, x, y);
    redraw();
    return;
  }
  fingers.set(event.pointerId, [x, y]);
  drag.moved = drag.moved || Math.hypot(x - drag.x, y - drag.y) > CLICK_PX;
  tip.hidden = true;
  if (drag.pinch && fingers.size === 2) {
    const [[a], [b]] = fingers.values();
    const length = drag.pinch.length * drag.pinch.apart / Math.max(20, Math.abs(a - b));
    const part = ((a + b) / 2 - view.left) / view.width;
    show(drag.pinch.at - part * length, drag.pinch.at + (1 - part) * length);
  } else if (drag.box) {
    state.box = [atOf(drag.x), atOf(x)];
    redraw();
  } else if (drag.moved && fingers.size === 1) {
    chart.classList.add('moving');
    const by = (drag.x - x) / view.width * (drag.to - drag.from);
    show(drag.from + by, drag.to + by);
  }
};

chart.onpointerup = event => {
  const [x, y] = pointOf(event);
  if (state.box) {
    const [a, b] = state.box;
    state.box = null;
    if (drag.moved) show(Math.min(a, b), Math.max(a, b));
  } else if (drag && !drag.moved && fingers.size === 1) {
    select(under(x, y, reachOf(event)));
    chart.focus({preventScroll: true});
  }
  letGo(event);
};
function letGo(event) {
  fingers.delete(event.pointerId);
  chart.classList.remove('moving');
  state.box = null;
  // A finger that stays goes on dragging from where it is.
  const [left] = fingers.values();
  drag = left ? {x: left[0], y: left[1], from: view.from, to: view.to, moved: true, box: false, pinch: null} : null;
}
chart.onpointercancel = letGo;
chart.onpointerleave = () => {
  state.cursor = null;
  state.hover = null;
  tip.hidden = true;
  redraw();
};
chart.ondblclick = event => zoom(4, atOf(pointOf(event)[0]));

chart.addEventListener('wheel', event => {
  const sideways = event.shiftKey ? event.deltaY || event.deltaX : Math.abs(event.deltaX) > Math.abs(event.deltaY) ? event.deltaX : 0;
  // Where there is nothing more to zoom out to, the page scrolls.
  if (!sideways && event.deltaY > 0 && isWhole()) return;
  event.preventDefault();
  const lines = event.deltaMode ? 30 : 1; // Some browsers count lines of text.
  if (sideways) pan(sideways * lines / view.width);
  else zoom(Math.exp(-event.deltaY * lines * 0.002), atOf(pointOf(event)[0]));
}, {passive: false});

/** The line after or before the chosen one; in its lane, or in all. */
function stepLine(by) {
  const at = state.selected ? told(state.selected).begin : Math.max(0, view.from);
  let index;
  if (state.selected && state.selected.kind === 'line') index = state.selected.index + by;
  else index = firstFrom(timeline.lines, at, line => line.at) - (by < 0 ? 1 : 0);
  if (timeline.lines[index]) chooseLine(index);
}

/** The line of the next lane, up or down, that is nearest in time. */
function stepLane(by) {
  const chosen = state.selected && state.selected.kind === 'line' ? timeline.lines[state.selected.index] : null;
  const at = chosen ? chosen.at : (view.from + view.to) / 2;
  let lane = chosen ? chosen.lane + by : 0;
  while (linesOfLane[lane] && !linesOfLane[lane].length) lane += by;
  const indices = linesOfLane[lane];
  if (!indices) return;
  const n = Math.min(indices.length - 1, firstFrom(indices, at, index => timeline.lines[index].at));
  const before = indices[Math.max(0, n - 1)];
  const nearer = Math.abs(timeline.lines[before].at - at) < Math.abs(timeline.lines[indices[n]].at - at) ? before : indices[n];
  chooseLine(nearer);
}

/** The next change of server, or the one before, close by. */
function toChange(by) {
  const middle = (view.from + view.to) / 2;
  const inside = ([begin, end]) => (begin + end) / 2;
  const slack = (view.to - view.from) * 0.01;
  const found = by > 0 ? changes.find(change => inside(change) > middle + slack || isWhole())
    : changes.findLast(change => inside(change) < middle - slack || isWhole());
  if (found) goTo(found[0], Math.max(found[1], found[0] + CLOSE_MS));
}

const KEYS = {
  ArrowLeft: event => event.shiftKey ? pan(-0.25) : stepLine(-1),
  ArrowRight: event => event.shiftKey ? pan(0.25) : stepLine(1),
  ArrowUp: () => stepLane(-1),
  ArrowDown: () => stepLane(1),
  Home: () => chooseLine(0),
  End: () => chooseLine(timeline.lines.length - 1),
  Enter: () => state.selected && goClose(state.selected),
  Escape: () => select(null),
  '+': () => zoom(2),
  '=': () => zoom(2),
  '-': () => zoom(0.5),
  0: () => showAll(),
  c: () => toChange(1),
  C: () => toChange(-1),
};
chart.onkeydown = event => {
  if (event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key](event);
};
document.onkeydown = event => {
  if (event.key !== '/' || event.target === words) return;
  event.preventDefault();
  words.focus();
};

const buttons = {in: () => zoom(2), out: () => zoom(0.5), all: showAll, earlier: () => toChange(-1), later: () => toChange(1)};
for (const [id, act] of Object.entries(buttons)) byId(id).onclick = act;

overview.onpointerdown = event => {
  overview.setPointerCapture(event.pointerId);
  overview.onpointermove = move => {
    const frame = overview.getBoundingClientRect();
    const at = wholeAt((move.clientX - frame.left) * place.width / frame.width);
    const length = view.to - view.from;
    show(at - length / 2, at + length / 2);
  };
  overview.onpointermove(event);
};
overview.onpointerup = () => { overview.onpointermove = null; };

byId('story').onclick = event => {
  const row = event.target.closest('li');
  if (row) chooseLine(Number(row.dataset.line));
};

// Paper is as wide as it is, whatever the window was.
const PAPER_PX = 1040;
window.addEventListener('beforeprint', () => { state.printing = PAPER_PX; draw(); writeStory(); });
window.addEventListener('afterprint', () => { state.printing = 0; redraw(); });
new ResizeObserver(redraw).observe(chart.parentElement);

draw();
writeSummary();
writeLegend();
writeReigns();
writeClocks();
writeStory();
select(null);
drawn.push(storySoon);
