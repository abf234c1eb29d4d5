// What is said of one thing in the chart: in the tip beside the pointer, and in full below.

const tip = document.getElementById('tip');
const panel = document.getElementById('details');
const byId = id => document.getElementById(id);

/** A new HTML element with text, or with other elements in it. */
function make(tag, inside = '', attributes = {}) {
  const made = document.createElement(tag);
  if (Array.isArray(inside)) made.append(...inside);
  else made.textContent = inside;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

const nameOf = lane => timeline.lanes[lane] ? timeline.lanes[lane].name : 'all';
const exact = at => `${day(at)} ${clock(at)}`;
const fromTo = (begin, end) => begin === end ? exact(begin) : `${exact(begin)} to ${clock(end)}, ${lasting(end - begin)}`;

/** What there is to say: a head, when, and facts by label. */
function told({kind, index}) {
  switch (kind) {
    case 'line': return aboutLine(timeline.lines[index]);
    case 'arrow': return aboutArrow(timeline.arrows[index]);
    case 'reign': return aboutReign(timeline.reigns[index]);
    case 'gap': {
      const gap = timeline.gaps[index];
      return {head: 'Nobody served', begin: gap.begin, end: gap.end, facts: [['', gap.text]]};
    }
    case 'band': {
      const band = timeline.bands[index];
      const head = band.mark ? band.text : `Fault: ${band.text}`;
      return {head, begin: band.begin, end: band.end, facts: [['peer', nameOf(band.lane)], ['kind', band.kind]]};
    }
    case 'absence': {
      const absence = timeline.absences[index];
      const name = ABSENCES[absence.kind] || absence.kind;
      return {head: `${nameOf(absence.lane)}: ${name}`, begin: absence.begin, end: absence.end, facts: [['why', absence.text]]};
    }
    default: {
      const span = timeline.spans[index];
      const facts = [['means', STATES[span.state][1]], ['because', span.text || ''], ['term', span.term || '']];
      return {head: `${nameOf(span.lane)}: ${span.state}`, begin: span.begin, end: span.end, facts};
    }
  }
}

const nameById = new Map(timeline.lanes.map(lane => [lane.id, lane.name]));

/** The value of a field for people: names for ids, lists with commas. */
function inWords(value) {
  if (Array.isArray(value)) return value.map(inWords).join(', ') || 'nobody';
  if (value && typeof value === 'object') return Object.entries(value).map(([key, inner]) => `${inWords(key)}: ${inWords(inner)}`).join(', ') || 'nobody';
  if (typeof value !== 'string') return String(value);
  return value.replace(/[\w-]+/g, word => nameById.get(word) || word);
}

function aboutLine(line) {
  const lane = timeline.lanes[line.lane];
  const fields = Object.entries(line.fields).map(([key, value]) => [key.replaceAll('_', ' '), inWords(value)]);
  const own = `${line.wall} (line ${line.seq} of start ${line.incarnation} of ${lane.id})`;
  return {head: `${lane.name}: ${line.text}`, begin: line.at, end: line.at, facts: [['event', `${line.event}, ${line.level}`], ...fields, ['its own clock', own]]};
}

function aboutArrow(arrow) {
  const where = arrow.path.map(([lane, at]) => `${nameOf(lane)} ${clock(at)}`).join(' → ');
  const facts = [['kind', `${MESSAGES[arrow.kind][0]}: ${MESSAGES[arrow.kind][1]}`], ['way', where]];
  if (arrow.guess) facts.push(['', 'no line tells the moment in the middle: it is drawn half-way']);
  return {head: arrow.text, begin: arrow.from, end: arrow.to, facts};
}

function aboutReign(reign) {
  const facts = [['served until', reign.lasts ? 'as far as these lines go' : exact(reign.end)], ['ended', reign.why]];
  if (reign.open != null) facts.unshift(['open after', lasting(reign.open - reign.begin)]);
  return {head: `Term ${reign.term}`, begin: reign.begin, end: reign.end, facts: [...facts, ...reign.facts]};
}

/** A mark that stands for many lines says the first of them. */
function tipOf(target) {
  if (target.all && target.all.length > 1) {
    const some = target.all.slice(0, 6).map(index => make('div', `${clock(timeline.lines[index].at)}  ${timeline.lines[index].text}`));
    if (target.all.length > 6) some.push(make('div', `and ${target.all.length - 6} more: zoom in`));
    return [make('b', `${target.all.length} lines of ${nameOf(timeline.lines[target.index].lane)}`), ...some];
  }
  const about = told(target);
  const parts = [make('b', about.head), make('div', fromTo(about.begin, about.end))];
  if (target.kind !== 'line') parts.push(...about.facts.filter(([label, text]) => !label && text).map(([, text]) => make('div', text)));
  if (state.selected && !same(state.selected, target)) {
    const apart = about.begin - told(state.selected).begin;
    parts.push(make('div', `${apart < 0 ? '' : '+'}${lasting(apart)} from what is chosen`));
  }
  return parts;
}

const same = (a, b) => Boolean(a && b && a.kind === b.kind && a.index === b.index);

function showTip(target, x, y) {
  tip.hidden = !target;
  if (!target) return;
  tip.replaceChildren(...tipOf(target));
  const room = chart.parentElement.clientWidth;
  tip.style.left = `${Math.max(0, Math.min(x + 14, room - tip.offsetWidth - 2))}px`;
  tip.style.top = `${y + 18}px`;
}

/** Choose something, and tell all of it; null lets go. */
function select(target) {
  const before = state.selected;
  state.selected = target && {kind: target.kind, index: target.index};
  panel.replaceChildren(...(target ? detailsOf(target, before) : [make('p', 'Point at anything, or choose it, for details.', {class: 'screen'})]));
  redraw();
}

function detailsOf(target, before) {
  const about = told(target);
  const list = make('dl');
  const facts = [['when', fromTo(about.begin, about.end)], ...about.facts];
  if (before && !same(before, target)) facts.splice(1, 0, ['since the last chosen', lasting(about.begin - told(before).begin)]);
  for (const [label, text] of facts) if (text) list.append(make('dt', label), make('dd', text));
  const near = make('button', 'Go close', {type: 'button'});
  near.onclick = () => goClose(target);
  const acts = [near];
  const line = target.kind === 'arrow' ? timeline.arrows[target.index].line : target.kind === 'band' ? timeline.bands[target.index].line : -1;
  if (line >= 0 && line !== undefined) {
    const button = make('button', 'The line that tells this', {type: 'button'});
    button.onclick = () => chooseLine(line);
    acts.push(button);
  }
  return [make('h3', about.head), list, make('div', acts, {class: 'acts'})];
}

function goClose(target) {
  const {begin, end} = told(target);
  if (end > begin) goTo(begin, end);
  else show(begin - CLOSE_MS / 2, begin + CLOSE_MS / 2);
}
const CLOSE_MS = 40; // About a ballot between machines on one desk.

function chooseLine(index) {
  reveal(timeline.lines[index].at);
  select({kind: 'line', index});
}
