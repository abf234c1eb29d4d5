// What part of the time is shown, and where it lies on the screen.

const WIDTH_MS_MIN = 0.5; // Clocks tell no less.
const MARGIN = 0.02; // Of the whole time, on either side, so that the first and the last line stand free.

const whole = (() => {
  const length = Math.max(timeline.end, 1);
  return {from: -length * MARGIN, to: length * (1 + MARGIN)};
})();
const view = {from: whole.from, to: whole.to, left: 0, width: 1};

const xOf = at => view.left + (at - view.from) / (view.to - view.from) * view.width;
const atOf = x => view.from + (x - view.left) / view.width * (view.to - view.from);

/** Show a part of the time: no less than can be told apart, no more than there is. */
function show(from, to) {
  const most = whole.to - whole.from;
  const length = Math.min(most, Math.max(WIDTH_MS_MIN, to - from));
  const middle = (from + to) / 2;
  view.from = Math.min(whole.to - length, Math.max(whole.from, middle - length / 2));
  view.to = view.from + length;
  redraw();
}

const showAll = () => show(whole.from, whole.to);
const isWhole = () => view.to - view.from >= (whole.to - whole.from) * 0.9999;

/** Zoom by a factor (over 1 is closer), with the moment `at` staying where it is. */
function zoom(factor, at = (view.from + view.to) / 2) {
  const length = Math.max(WIDTH_MS_MIN, (view.to - view.from) / factor);
  const part = (at - view.from) / (view.to - view.from);
  show(at - part * length, at + (1 - part) * length);
}

/** Move by a part of what is shown. */
function pan(part) {
  const by = (view.to - view.from) * part;
  show(view.from + by, view.to + by);
}

/** Move just so far that a moment is well inside. */
function reveal(at) {
  const length = view.to - view.from;
  if (at < view.from + length * 0.05 || at > view.to - length * 0.05) show(at - length / 2, at + length / 2);
}

/** Go close to a time: it takes half of the width. */
function goTo(begin, end) {
  const length = Math.max(end - begin, WIDTH_MS_MIN);
  show(begin - length / 2, end + length / 2);
}

/** The moments of the axis: the smallest step that leaves `px` pixels between two. */
function ticks(px) {
  const perPx = (view.to - view.from) / view.width;
  const step = STEPS.find(s => s / perPx >= px) || STEPS[STEPS.length - 1];
  // Steps count from local midnight, so that they fall on whole minutes and hours.
  const midnight = new Date(timeline.begin_ms + view.from).setHours(0, 0, 0, 0) - timeline.begin_ms;
  const found = [];
  for (let n = Math.ceil((view.from - midnight) / step); midnight + n * step <= view.to; n += 1) found.push(midnight + n * step);
  return {step, at: found};
}
