// The chart: where rows and lanes lie, what is drawn in which order, and what lies under a point of it.

const PHONE_PX = 600; // Below, names stand over their lanes instead of beside them.
const AXIS_PX = 24;
const ROW_PX = 24;

const chart = document.getElementById('chart');
patterns(chart);
const layers = Object.fromEntries(['ground', 'bands', 'bars', 'arrows', 'dots', 'labels', 'overlay', 'names']
  .map(name => [name, new Layer(chart, name)]));
const hidden = new Set(); // Kinds of messages that are not shown.
const state = {selected: null, hover: null, cursor: null, found: new Set(), printing: 0};
let place = {}; // Where rows and lanes lie, of the last drawing.
let targets = []; // What was drawn where, of the last drawing, for the pointer.

/** Where everything lies at this width. */
function layOut(width) {
  const phone = width < PHONE_PX;
  const longest = Math.max(9, ...timeline.lanes.map(lane => lane.name.length));
  const gutter = phone ? 0 : Math.min(170, 16 + longest * 8);
  const head = phone ? 14 : 0;
  const marks = timeline.bands.some(band => band.lane < 0) ? 20 : 0;
  const reignsTop = AXIS_PX + marks + head + 4;
  const lanesTop = reignsTop + rows * ROW_PX + 6;
  // What is said of faults and marks has a row of its own.
  const laneHeight = 50 + head + (timeline.bands.some(band => band.lane >= 0) ? 13 : 0);
  view.left = gutter + 6;
  view.width = Math.max(50, width - gutter - 12);
  return {width, phone, gutter, head, marksTop: AXIS_PX, reignsTop, lanesTop, laneHeight,
    height: lanesTop + timeline.lanes.length * laneHeight + 4};
}
const topOf = lane => place.lanesTop + lane * place.laneHeight;
const centreOf = lane => topOf(lane) + place.head + 19;
const dotsOf = lane => topOf(lane) + place.head + 40;

/** Draw all that is in view. */
function draw() {
  const width = state.printing || Math.max(240, chart.parentElement.clientWidth);
  place = layOut(width);
  targets = [];
  chart.setAttribute('viewBox', `0 0 ${width} ${place.height}`);
  for (const layer of Object.values(layers)) layer.begin();
  drawGround();
  drawBands();
  drawReigns();
  drawSpans();
  drawArrows();
  drawDots();
  drawNames();
  drawOverlay();
  for (const layer of Object.values(layers)) layer.end();
  drawOverview();
}

let waiting = 0;
const drawn = []; // Called after each drawing.
/** Draw with the next frame of the screen; many calls make one drawing. */
function redraw() {
  waiting = waiting || requestAnimationFrame(() => {
    waiting = 0;
    draw();
    drawn.forEach(call => call());
  });
}

function drawGround() {
  const {step, at} = ticks(place.phone ? 76 : 96);
  timeline.lanes.forEach((lane, n) => {
    layers.ground.put('rect', {class: n % 2 ? 'lane odd' : 'lane', x: 0, y: topOf(n), width: place.width, height: place.laneHeight});
  });
  layers.ground.put('path', {class: 'grid', d: at.map(t => `M${round(xOf(t))} ${AXIS_PX - 5}V${place.height}`).join('')});
  for (const t of at) {
    const x = xOf(t);
    if (x > view.left + 16 && x < place.width - 24) layers.labels.put('text', {class: 'tick', x: round(x), y: 14}, clock(t, step));
  }
}

/** What is in the gutter, or over the lanes: over all that moves. */
function drawNames() {
  const x = place.phone ? 4 : 8;
  if (!place.phone) layers.names.put('rect', {class: 'gutter', x: 0, y: 0, width: place.gutter, height: place.height});
  const put = (y, text, cls) => layers.names.put('text', {class: cls, x, y}, text);
  put(place.phone ? place.reignsTop - 3 : place.reignsTop + 16, 'who serves', 'name dim');
  timeline.lanes.forEach((lane, n) => {
    const room = place.phone ? 40 : Math.floor((place.gutter - 16) / 7.5);
    const name = lane.name.length > room ? `${lane.name.slice(0, room - 1)}…` : lane.name;
    put(place.phone ? topOf(n) + 12 : centreOf(n) + 5, lane.logged === false ? `${name} (no log)` : name, 'name');
  });
}

function drawOverlay() {
  const ring = (kind, index) => {
    const target = targets.find(t => t.kind === kind && (t.index === index || (t.all && t.all.includes(index))));
    if (!target) return '';
    if (target.points) return target.points.map(([x, y], i) => `${i ? 'L' : 'M'}${round(x)} ${round(y)}`).join('');
    const m = 3;
    return box(target.x1 - m, target.y1 - m, target.x2 + m, target.y2 + m);
  };
  if (state.selected) {
    const {kind, index} = state.selected;
    layers.overlay.put('path', {class: 'selected', d: ring(kind, index)});
    if (kind === 'line') {
      const x = round(xOf(timeline.lines[index].at));
      layers.overlay.put('path', {class: 'selected thin', d: `M${x} ${AXIS_PX}V${place.height}`});
    }
  }
  if (state.hover) layers.overlay.put('path', {class: 'hover', d: ring(state.hover.kind, state.hover.index)});
  if (state.cursor !== null) {
    const x = xOf(state.cursor);
    layers.overlay.put('path', {class: 'cursor', d: `M${round(x)} ${AXIS_PX - 6}V${place.height}`});
    const text = clock(state.cursor, Math.min(1, (view.to - view.from) / view.width * 10));
    const left = Math.min(place.width - 50, Math.max(view.left + 44, x));
    layers.overlay.put('rect', {class: 'cursor-ground', x: round(left - 50), y: 1, width: 100, height: 17, rx: 3});
    layers.overlay.put('text', {class: 'tick cursor-text', x: round(left), y: 14}, text);
  }
  if (state.box) {
    const [a, b] = state.box.map(xOf);
    layers.overlay.put('rect', {class: 'box', x: round(Math.min(a, b)), y: AXIS_PX, width: round(Math.abs(a - b)), height: place.height - AXIS_PX});
  }
}

/** What lies under a point of the chart, the nearest of the least: a line's mark, an arrow, a band, a bar. */
function under(x, y, reach) {
  let best = null;
  for (const target of targets) {
    const away = target.points ? toPath(x, y, target.points) : toBox(x, y, target);
    if (away > (target.reach ? reach : 1)) continue;
    const rank = target.rank + away / 100;
    if (best === null || rank < best.rank) best = {rank, target};
  }
  return best && best.target;
}

const toBox = (x, y, t) => Math.hypot(Math.max(t.x1 - x, 0, x - t.x2), Math.max(t.y1 - y, 0, y - t.y2));

/** How far a point is from a path. */
function toPath(x, y, points) {
  let least = Infinity;
  for (let i = 1; i < points.length; i += 1) {
    const [x1, y1] = points[i - 1];
    const [dx, dy] = [points[i][0] - x1, points[i][1] - y1];
    const part = Math.min(1, Math.max(0, ((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy || 1)));
    least = Math.min(least, Math.hypot(x1 + part * dx - x, y1 + part * dy - y));
  }
  return least;
}
