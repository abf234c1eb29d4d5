// What there is to draw: the timeline as the page brought it, with what was left out of the JSON put back.

const timeline = JSON.parse(document.getElementById('data').textContent);

for (const arrow of timeline.arrows) {
  arrow.ok = arrow.ok !== false;
  arrow.from = Math.min(...arrow.path.map(([, at]) => at));
  arrow.to = Math.max(...arrow.path.map(([, at]) => at));
}
for (const line of timeline.lines) line.level = LEVELS.includes(line.level) ? line.level : 'info';
timeline.bands.sort((a, b) => a.begin - b.begin);
for (const reign of timeline.reigns) reign.facts = reign.facts || [];

/** What a lane's states and a message's kinds are called, and what they mean. */
const STATES = {
  server: ['★ server', 'serves; with its term'],
  client: ['client', 'follows a server'],
  candidate: ['candidate', 'asks to be elected'],
  seeking: ['seeking', 'has no server, and looks for one'],
  stopped: ['stopped', 'its process ended, and said so'],
  gone: ['✕ gone', 'its process ended without a word, or nothing more is heard of it'],
  unknown: ['unknown', 'no line tells what it was'],
};
const ABSENCES = {away: 'away', stalled: 'stalled', disk: 'disk hangs'};
const MESSAGES = {
  canvass: ['canvass', 'may I stand? and the answer'],
  vote: ['vote', 'asked for, given, counted'],
  follow: ['follow', 'a peer follows a server'],
  lost: ['loss', 'last heard of, and given up'],
  retry: ['retry', 'to reach a lost server'],
  fallback: ['fallback', 'a peer goes to another'],
  handover: ['hand-over', 'the server tells its heir to stand'],
  heal: ['heal', 'entries and claims after a split'],
};

/** The moments at which the server changed: [begin, end] of each gap, and each begin of a reign that no gap precedes. */
const changes = [
  ...timeline.gaps.map(gap => [gap.begin, gap.end]),
  ...timeline.reigns.filter(reign => !timeline.gaps.some(gap => gap.end === reign.begin)).map(r => [r.begin, r.begin]),
].sort((a, b) => a[0] - b[0]);

const linesOfLane = timeline.lanes.map(() => []);
timeline.lines.forEach((line, index) => linesOfLane[line.lane].push(index));
const rows = 1 + Math.max(0, ...timeline.reigns.map(reign => reign.row));

/** The place of the first item of a sorted array that is not before `at`. */
function firstFrom(array, at, momentOf) {
  let low = 0;
  let high = array.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (momentOf(array[middle]) < at) low = middle + 1;
    else high = middle;
  }
  return low;
}
