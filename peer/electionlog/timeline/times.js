// Moments and durations as people read them. Moments are milliseconds since the timeline's begin.

const LEVELS = ['debug', 'info', 'warning', 'error'];

/** Steps of the axis, in milliseconds: what people count in. */
const STEPS = [1, 2, 5].flatMap(n => [n * 0.001, n * 0.01, n * 0.1, n, n * 10, n * 100]).sort((a, b) => a - b).concat(
  [1, 2, 5, 10, 15, 30].map(s => s * 1e3), [1, 2, 5, 10, 15, 30].map(m => m * 6e4),
  [1, 2, 3, 6, 12].map(h => h * 36e5), [1, 2, 7, 14, 30, 90, 365].map(d => d * 864e5));

/** The time of day, with as many decimals of a second as a step of so many milliseconds needs. */
function clock(at, step = 1) {
  const wall = timeline.begin_ms + at;
  const date = new Date(Math.floor(wall));
  const two = n => String(n).padStart(2, '0');
  const text = `${two(date.getHours())}:${two(date.getMinutes())}`;
  if (step >= 6e4) return text;
  const digits = step >= 1000 ? 0 : Math.min(6, Math.ceil(-Math.log10(step / 1000) - 1e-9));
  const second = date.getSeconds() + (date.getMilliseconds() + (wall - Math.floor(wall))) / 1000;
  const shown = Math.floor(second * 10 ** digits + 1e-6) / 10 ** digits;
  return `${text}:${shown.toFixed(digits).padStart(digits ? digits + 3 : 2, '0')}`;
}

/** The day, as a date. */
function day(at) {
  const date = new Date(timeline.begin_ms + at);
  return date.toLocaleDateString('en-CA');
}

/** How far the browser's clock is from UTC, as in "UTC+01:00". */
function zone(at) {
  const minutes = -new Date(timeline.begin_ms + at).getTimezoneOffset();
  if (!minutes) return 'UTC';
  const two = n => String(Math.floor(n)).padStart(2, '0');
  return `UTC${minutes < 0 ? '−' : '+'}${two(Math.abs(minutes) / 60)}:${two(Math.abs(minutes) % 60)}`;
}

/** A duration with the unit that a person would choose. */
function lasting(ms) {
  const size = Math.abs(ms);
  if (size < 9.95) return `${+ms.toFixed(size < 0.995 ? 3 : 1)} ms`;
  if (size < 999.5) return `${Math.round(ms)} ms`;
  if (size < 59950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(size / 1000);
  const sign = ms < 0 ? '−' : '';
  for (const [unitS, unit, partS, part] of [[86400, 'd', 3600, 'h'], [3600, 'h', 60, 'min'], [60, 'min', 1, 's']]) {
    if (seconds >= unitS) return `${sign}${Math.floor(seconds / unitS)} ${unit} ${Math.floor(seconds % unitS / partS)} ${part}`;
  }
  return `${seconds} s`;
}
