// The strip over the chart: the whole time, when nobody served, where lines are many, and what part is shown below.

const overview = document.getElementById('overview');
const strip = new Layer(overview, 'strip');
const STRIP_PX = 34;
const BIN_PX = 3;

let density = {width: 0, d: ''};
/** How many lines there are where, as an outline; made again only for another width. */
function densityOf(width) {
  if (density.width === width) return density.d;
  const bins = new Array(Math.ceil(width / BIN_PX) + 1).fill(0);
  for (const line of timeline.lines) bins[Math.floor(wholeX(line.at) / BIN_PX)] += 1;
  const most = Math.log1p(Math.max(1, ...bins));
  const d = bins.map((n, i) => n ? `M${i * BIN_PX} ${STRIP_PX}V${round(STRIP_PX - 3 - 18 * Math.log1p(n) / most)}h${BIN_PX - 1}V${STRIP_PX}Z` : '').join('');
  density = {width, d};
  return d;
}

const wholeX = at => (at - whole.from) / (whole.to - whole.from) * place.width;
const wholeAt = x => whole.from + x / place.width * (whole.to - whole.from);

function drawOverview() {
  const {width} = place;
  overview.setAttribute('viewBox', `0 0 ${width} ${STRIP_PX}`);
  strip.begin();
  strip.put('rect', {class: 'ground', x: 0, y: 0, width, height: STRIP_PX});
  const at = (items, y1, y2) => items.map(({begin, end}) => box(wholeX(begin), y1, Math.max(wholeX(end), wholeX(begin) + 1.5), y2)).join('');
  strip.put('path', {class: 'state server', d: at(timeline.reigns.flatMap(r => (r.served || []).map(([begin, end]) => ({begin, end}))), 3, 9)});
  strip.put('path', {class: 'gap', d: at(timeline.gaps, 2, 10)});
  strip.put('path', {class: 'density', d: densityOf(width)});
  strip.put('path', {class: 'found', d: at([...state.found].slice(0, 2000).map(index => ({begin: timeline.lines[index].at, end: 0})), 11, STRIP_PX)});
  const [x1, x2] = [wholeX(view.from), wholeX(view.to)];
  const shown = {x: round(x1), y: 1, width: round(Math.max(3, x2 - x1)), height: STRIP_PX - 2};
  strip.put('rect', {class: 'pane', ...shown});
  strip.put('rect', {class: 'frame', ...shown});
  strip.end();
}
