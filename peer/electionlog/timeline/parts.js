// What stands in the chart: reigns, gaps, bands, bars, arrows, marks of lines. Each kind is one path, whatever its number;
// what would lie within the same few pixels is drawn once.

const BAR_PX = {server: 24, candidate: 20, seeking: 14, client: 14, stopped: 2, gone: 2, unknown: 8};
const DOTS_PX = 11; // Marks of lines that are nearer to one another become one mark.
const LABEL_CHAR_PX = 6.6;
const MARK_CHARS_MAX = 48;
const ARROW_LABELS_MAX = 40;
const ARROWS_STRONG_MAX = 250; // More are drawn faintly: then bars matter, and arrows come forth by zooming in.

const inView = (begin, end) => end >= view.from && begin <= view.to;
const clipped = x => Math.min(view.left + view.width + 20, Math.max(view.left - 20, x));

/** Text in a bar, if there is room for it, or for what is short of it; gives where it ends. */
function label(x1, x2, y, texts, cls) {
  const from = Math.max(x1, view.left);
  const room = Math.min(x2, view.left + view.width) - from - 8;
  const text = texts.find(t => t.length * LABEL_CHAR_PX <= room);
  if (!text) return x1;
  layers.labels.put('text', {class: `label ${cls}`, x: round(from + 4), y: round(y)}, text);
  return from + 10 + text.length * LABEL_CHAR_PX;
}

function drawBands() {
  const paths = {fault: '', edge: '', mark: ''};
  const taken = []; // Where labels of bands stand: lane, from, to.
  const isFree = (lane, from, to) => !taken.some(([other, a, b]) => other === lane && from < b && to > a);
  timeline.bands.forEach((band, index) => {
    if (!inView(band.begin, band.end)) return;
    const [x1, x2] = [clipped(xOf(band.begin)), clipped(Math.max(xOf(band.end), xOf(band.begin) + 2))];
    const all = band.lane < 0;
    const [y1, y2] = all ? [place.marksTop, place.height] : [topOf(band.lane) + 1, topOf(band.lane) + place.laneHeight - 1];
    const y = all ? place.marksTop + 15 : y2 - 3;
    if (band.mark) {
      paths.mark += `M${round(x1)} ${y1}V${y2}${x2 - x1 > 3 ? `M${round(x1)} ${y + 3}H${round(x2)}` : ''}`;
      const text = band.text.slice(0, MARK_CHARS_MAX);
      const length = (text.length + 2) * LABEL_CHAR_PX;
      // What it says stands on that side of its line where there is room.
      const [from, to] = x1 + length <= view.left + view.width ? [x1, x1 + length] : [x1 - length, x1];
      const shown = isFree(band.lane, from, to);
      if (shown) {
        taken.push([band.lane, from, to]);
        const side = from === x1 ? {x: round(x1 + 2), 'text-anchor': 'start'} : {x: round(x1 - 2), 'text-anchor': 'end'};
        layers.labels.put('text', {class: 'label free', y: round(y), ...side}, from === x1 ? `▾ ${text}` : `${text} ▾`);
      }
      targets.push({kind: 'band', index, rank: 2, reach: true, x1: shown ? from : x1, y1, x2: shown ? to : x1, y2: all ? place.reignsTop : y2});
    } else {
      paths.fault += box(x1, y1, x2, y2);
      paths.edge += `M${round(x1)} ${y1}V${y2}M${round(x2)} ${y1}V${y2}`;
      const from = Math.max(x1, ...taken.filter(([lane, a, b]) => lane === band.lane && a < x2 && b > x1).map(([, , b]) => b));
      const room = Math.floor((Math.min(x2, view.left + view.width) - Math.max(from, view.left) - 8) / LABEL_CHAR_PX);
      const short = room < 8 ? 'ϟ' : `ϟ ${band.text.slice(0, room - 3)}…`;
      const texts = [`ϟ ${band.text}, ${lasting(band.end - band.begin)}`, `ϟ ${band.text}`, short, 'ϟ'];
      taken.push([band.lane, from, label(from, x2, y, texts, 'free')]);
      targets.push({kind: 'band', index, rank: 5, x1, y1, x2, y2});
    }
  });
  layers.bands.put('path', {class: 'fault', d: paths.fault});
  layers.bands.put('path', {class: 'fault-edge', d: paths.edge});
  layers.bands.put('path', {class: 'mark', d: paths.mark});
}

function drawReigns() {
  let d = '';
  const [top, bottom] = [place.reignsTop, place.reignsTop + rows * ROW_PX - 4];
  timeline.reigns.forEach((reign, index) => {
    if (!inView(reign.begin, reign.end)) return;
    const y1 = top + reign.row * ROW_PX;
    for (const [begin, end] of reign.served || []) {
      if (!inView(begin, end)) continue;
      const [x1, x2] = [clipped(xOf(begin)), clipped(Math.max(xOf(end), xOf(begin) + 1))];
      d += box(x1, y1, x2, y1 + ROW_PX - 4);
      label(x1, x2, y1 + 15, [`★ term ${reign.term}`, reign.term, `${reign.number}`], 'on');
      targets.push({kind: 'reign', index, rank: 4, x1, y1, x2, y2: y1 + ROW_PX - 4});
    }
  });
  layers.bars.put('path', {class: 'state server', d});
  let gaps = '';
  let columns = '';
  timeline.gaps.forEach((gap, index) => {
    if (!inView(gap.begin, gap.end)) return;
    const [x1, x2] = [clipped(xOf(gap.begin)), clipped(Math.max(xOf(gap.end), xOf(gap.begin) + 2))];
    gaps += box(x1, top, x2, bottom);
    columns += box(x1, bottom, x2, place.height);
    label(x1, x2, top + 15, [`nobody, ${lasting(gap.end - gap.begin)}`, lasting(gap.end - gap.begin)], 'free strong');
    targets.push({kind: 'gap', index, rank: 3, reach: true, x1, y1: top, x2, y2: bottom});
  });
  layers.bands.put('path', {class: 'column', d: columns});
  layers.bars.put('path', {class: 'gap', d: gaps, 'data-count': timeline.gaps.length});
}

function drawSpans() {
  const paths = {};
  const last = {}; // By lane and state, the last pixel that has a bar: narrower ones beside it would not be seen.
  timeline.spans.forEach((span, index) => {
    if (!inView(span.begin, span.end)) return;
    const [x1, x2] = [clipped(xOf(span.begin)), clipped(xOf(span.end))];
    const key = `${span.lane} ${span.state}`;
    if (x2 - x1 < 0.7 && x2 < (last[key] ?? -1) + 1) return;
    last[key] = x2;
    const y = centreOf(span.lane);
    const half = BAR_PX[span.state] / 2;
    const wide = Math.max(x2, x1 + 1);
    if (half > 1) {
      paths[span.state] = (paths[span.state] || '') + box(x1, y - half, wide, y + half);
    } else {
      paths[span.state] = (paths[span.state] || '') + `M${round(x1)} ${y}H${round(wide)}`;
      if (span.begin > 0 && x1 > view.left - 8) {
        paths[`${span.state}-end`] = (paths[`${span.state}-end`] || '') + (span.state === 'gone' ? cross(x1, y, 6) : box(x1 - 4, y - 4, x1 + 4, y + 4));
      }
    }
    const style = span.state === 'seeking' || span.state === 'candidate' ? 'on patterned' : half > 1 ? 'on' : 'small';
    if (x2 - x1 > LABEL_CHAR_PX) label(x1 + (half > 1 ? 0 : 10), Math.min(x2, absentFrom(span)), y + (half > 1 ? 4 : -5), namesOf(span), style);
    const reachable = Math.max(half, 6);
    targets.push({kind: 'span', index, rank: 6, x1, y1: y - reachable, x2: wide, y2: y + reachable});
  });
  for (const [name, d] of Object.entries(paths)) layers.bars.put('path', {class: `state ${name}`, d});
  drawAbsences();
}

function namesOf(span) {
  switch (span.state) {
    case 'server': return [`★ serves, term ${span.term}`, `★ ${span.term}`, '★'];
    case 'client': return span.term ? [`follows ${span.term}`, span.term] : ['client'];
    case 'gone': return ['ended without a word', 'gone'];
    case 'stopped': return ['stopped'];
    default: return [span.state];
  }
}

/** Where a bar is first covered by an absence that begins in it. */
function absentFrom(span) {
  const covers = absence => absence.lane === span.lane && absence.begin < span.end && absence.end > Math.max(span.begin, view.from);
  return Math.min(...timeline.absences.filter(covers).map(absence => xOf(absence.begin)));
}

function drawAbsences() {
  let d = '';
  timeline.absences.forEach((absence, index) => {
    if (!inView(absence.begin, absence.end)) return;
    const [x1, x2] = [clipped(xOf(absence.begin)), clipped(Math.max(xOf(absence.end), xOf(absence.begin) + 1))];
    const y = centreOf(absence.lane);
    d += box(x1, y - 14, x2, y + 14);
    const name = ABSENCES[absence.kind] || absence.kind;
    label(x1, x2, y + 4, [`${name} ${lasting(absence.end - absence.begin)}`, name], 'free');
    targets.push({kind: 'absence', index, rank: 4.5, reach: true, x1, y1: y - 14, x2, y2: y + 14});
  });
  layers.bars.put('path', {class: 'absent', d});
}

function drawArrows() {
  const paths = {};
  const seen = new Set();
  const shown = [];
  timeline.arrows.forEach((arrow, index) => {
    if (hidden.has(arrow.kind) || !inView(arrow.from, arrow.to)) return;
    const points = arrow.path.map(([lane, at]) => [Math.min(1e5, Math.max(-1e5, xOf(at))), centreOf(lane)]);
    const key = `${arrow.kind}${arrow.ok}${arrow.path.map(([lane], i) => `${lane}:${Math.round(points[i][0] / 3)}`)}`;
    if (seen.has(key)) return;
    seen.add(key);
    const name = `${arrow.kind} ${arrow.ok ? 'ok' : 'not'}`;
    paths[name] = (paths[name] || '') + arrowPath(points, arrow.ok);
    targets.push({kind: 'arrow', index, rank: 2, reach: true, points});
    shown.push([arrow, points]);
  });
  for (const [name, d] of Object.entries(paths)) layers.arrows.put('path', {class: `arrow ${name}`, d});
  layers.arrows.group.setAttribute('class', shown.length > ARROWS_STRONG_MAX ? 'arrows many' : 'arrows');
  if (shown.length <= ARROW_LABELS_MAX) shown.forEach(([arrow, points]) => nameArrow(arrow, points));
}

/** The kind of an arrow in words, near where it sets out, if it is long enough for that. */
function nameArrow(arrow, points) {
  const [[x1, y1], [x2, y2]] = points;
  const name = MESSAGES[arrow.kind][0];
  if (Math.abs(x2 - x1) < name.length * LABEL_CHAR_PX + 30) return;
  const [x, y] = [x1 + (x2 - x1) * 0.5, y1 + (y2 - y1) * 0.5];
  if (x > view.left && x < view.left + view.width - 40) layers.labels.put('text', {class: 'label free small', x: round(x + 6), y: round(y - 3)}, name);
}

function drawDots() {
  const paths = {};
  let found = '';
  linesOfLane.forEach((indices, lane) => {
    const y = dotsOf(lane);
    let here = null;
    const flush = () => {
      if (!here) return;
      const r = Math.min(5, 2.6 + Math.log2(here.all.length) * 0.5);
      const x = (here.x1 + here.x2) / 2;
      paths[here.level] = (paths[here.level] || '') + dot(x, y, here.level, r);
      if (here.found) found += dot(x, y, 'info', 7.5);
      targets.push({kind: 'line', index: here.all[0], all: here.all, rank: 1, reach: true, x1: x - r, y1: y - r, x2: x + r, y2: y + r});
    };
    const start = firstFrom(indices, view.from, index => timeline.lines[index].at);
    for (let n = start; n < indices.length && timeline.lines[indices[n]].at <= view.to; n += 1) {
      const line = timeline.lines[indices[n]];
      const x = xOf(line.at);
      if (!here || x - here.x1 > DOTS_PX) {
        flush();
        here = {x1: x, x2: x, all: [], level: 'debug', found: false};
      }
      here.x2 = x;
      here.all.push(indices[n]);
      here.found = here.found || state.found.has(indices[n]);
      if (LEVELS.indexOf(line.level) > LEVELS.indexOf(here.level)) here.level = line.level;
    }
    flush();
  });
  for (const [level, d] of Object.entries(paths)) layers.dots.put('path', {class: `dot ${level}`, d});
  layers.dots.put('path', {class: 'found', d: found});
}
