// What stands around the chart as text: the summary, the legend, who served, the lines in view, clocks, problems.

const STORY_MAX = 200; // Lines in view that are told as text: some screens full.

function writeSummary() {
  const n = (count, word) => `${count.toLocaleString('en')} ${word}${count === 1 ? '' : 's'}`;
  const parts = [timeline.clusters.join(', '), n(timeline.lanes.length, 'peer'), n(timeline.reigns.length, 'reign'), n(timeline.lines.length, 'line'),
    `${exact(0)} to ${day(0) === day(timeline.end) ? clock(timeline.end) : exact(timeline.end)} (${lasting(timeline.end)})`, `times are ${zone(0)}`];
  if (timeline.left_out) parts.push(`${n(timeline.left_out, 'line')} left out`);
  byId('summary').textContent = parts.join(' · ');
}

function writeLegend() {
  const sign = (draw, name, means, kind) => {
    const svg = element('svg', {viewBox: '0 0 46 26', 'aria-hidden': 'true'});
    draw.forEach(([tag, attributes]) => svg.append(element(tag, attributes)));
    const text = make('span', [name, ' ', make('small', means)]);
    if (!kind) return make('div', [svg, text]);
    const check = make('input', '', {type: 'checkbox', 'data-kind': kind});
    check.checked = true;
    check.onchange = () => {
      if (check.checked) hidden.delete(kind);
      else hidden.add(kind);
      redraw();
    };
    return make('label', [check, svg, text]);
  };
  const bar = (cls, height) => ['path', {class: `state ${cls}`, d: height > 2 ? box(3, 13 - height / 2, 43, 13 + height / 2) : 'M3 13H43'}];
  const end = {gone: ['path', {class: 'state gone-end', d: cross(8, 13, 6)}], stopped: ['path', {class: 'state stopped-end', d: box(4, 9, 12, 17)}]};
  const signs = Object.entries(STATES).map(([name, [title, means]]) => sign([bar(name, BAR_PX[name]), ...(end[name] ? [end[name]] : [])], title, means));
  signs.push(
    sign([['path', {class: 'absent', d: box(3, 3, 43, 23)}]], 'away', 'its process stood still, its clock jumped, or its disk hung'),
    sign([['path', {class: 'gap', d: box(3, 4, 43, 22)}]], 'outage', 'nobody served'),
    sign([['path', {class: 'fault', d: box(3, 3, 43, 23)}], ['path', {class: 'fault-edge', d: 'M3 3V23M43 3V23'}]], 'ϟ fault', 'injected on purpose'),
    sign([['path', {class: 'dot info', d: dot(9, 13, 'info', 3.5)}], ['path', {class: 'dot warning', d: dot(23, 13, 'warning', 3.5)}],
      ['path', {class: 'dot error', d: dot(37, 13, 'error', 3.5)}]], 'lines', 'a disc tells, a triangle warns, a square is an error; bigger for many'),
  );
  if (timeline.bands.some(band => band.mark)) {
    signs.push(sign([['path', {class: 'mark', d: 'M8 3V23M8 21H40'}]], '▾ mark', 'noted by whoever caused all this'));
  }
  for (const [kind, [name, means]] of Object.entries(MESSAGES)) {
    const ok = kind !== 'lost';
    signs.push(sign([['path', {class: `arrow ${kind} ${ok ? 'ok' : 'not'}`, d: arrowPath([[4, 5], [40, 20]], ok)}]], name, means, kind));
  }
  byId('signs').replaceChildren(...signs);
  byId('legend').open = !place.phone;
}

function writeReigns() {
  const table = byId('reigns').querySelector('tbody');
  timeline.reigns.forEach((reign, index) => {
    const why = make('td', [reign.why, ...reign.facts.map(([label, text]) => make('small', `${label}: ${text}`))]);
    const server = timeline.lanes[reign.lane] ? nameOf(reign.lane) : reign.term;
    const row = make('tr', [make('td', `${reign.number}`), make('td', server), make('td', exact(reign.begin), {class: 'num'}),
      make('td', reign.lasts ? `${lasting(reign.end - reign.begin)} so far` : lasting(reign.end - reign.begin)), why], {tabindex: '0'});
    const choose = () => {
      select({kind: 'reign', index});
      // What people look for is how it came about, and how it ended: its begin, with the gap before it.
      const gap = timeline.gaps.find(one => Math.abs(one.end - reign.begin) < 1);
      goTo(gap ? gap.begin : reign.begin, Math.max(reign.begin + CLOSE_MS, gap ? gap.end : 0));
      byId('view').scrollIntoView({block: 'start'});
    };
    row.onclick = choose;
    row.onkeydown = event => { if (event.key === 'Enter') choose(); };
    table.append(row);
  });
  byId('reigns').hidden = !timeline.reigns.length;
}

let storyTimer = 0;
/** The lines in view as text, once the view rests. */
function storySoon() {
  clearTimeout(storyTimer);
  storyTimer = setTimeout(writeStory, 120);
}

function writeStory() {
  const first = firstFrom(timeline.lines, view.from, line => line.at);
  const rest = timeline.lines.length;
  let last = first;
  while (last < rest && timeline.lines[last].at <= view.to) last += 1;
  const shown = timeline.lines.slice(first, Math.min(last, first + STORY_MAX));
  byId('more').textContent = last - first > STORY_MAX ? `The first ${STORY_MAX} of ${(last - first).toLocaleString('en')} lines in view: zoom in for the others.`
    : last === first ? 'There is no line in view.' : '';
  byId('story').querySelector('ol').replaceChildren(...shown.map((line, n) => {
    const index = first + n;
    const chosen = same(state.selected, {kind: 'line', index}) ? ' chosen' : '';
    return make('li', [make('time', clock(line.at)), make('b', nameOf(line.lane)), make('span', line.text)], {class: line.level + chosen, 'data-line': index});
  }));
  byId('window').textContent = isWhole() ? `All of it is shown, ${lasting(timeline.end)}.`
    : `Shown: ${exact(Math.max(0, view.from))} to ${clock(Math.min(timeline.end, view.to))}, ${lasting(view.to - view.from)}.`;
}

function writeClocks() {
  const table = byId('clocks').querySelector('tbody');
  for (const lane of timeline.lanes) {
    const [least, most] = lane.behind_ms || [0, 0];
    let said = 'no log of its own was read';
    if (lane.logged !== false) {
      if (Math.max(Math.abs(least), Math.abs(most)) < 2) said = 'as the common clock';
      else if (most - least < 2) said = `${lasting(Math.abs(most))} ${most < 0 ? 'ahead' : 'behind'}, put right`;
      else said = `${lasting(Math.min(Math.abs(least), Math.abs(most)))} to ${lasting(Math.max(Math.abs(least), Math.abs(most)))} off, put right`;
    }
    table.append(make('tr', [make('td', lane.name), make('td', `${lane.lines || 0}`), make('td', `${lane.starts || 0}`), make('td', said)]));
  }
  const problems = timeline.problems || [];
  byId('problems').hidden = !problems.length;
  byId('problems').querySelector('ul').replaceChildren(...problems.map(text => make('li', text)));
}
