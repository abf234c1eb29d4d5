// Search: all lines that have every word, marked in the chart and in the strip; from hit to hit.

const words = document.getElementById('words');
const texts = timeline.lines.map(line => `${timeline.lanes[line.lane].name} ${line.event.replaceAll('_', ' ')} ${line.event} ${line.text}`.toLowerCase());
let hits = [];
let hit = -1;

function search() {
  const asked = words.value.toLowerCase().split(/\s+/).filter(Boolean);
  hits = asked.length ? texts.flatMap((text, index) => asked.every(word => text.includes(word)) ? [index] : []) : [];
  hit = -1;
  state.found = new Set(hits);
  tellHits();
  redraw();
}

function tellHits() {
  byId('hits').textContent = !words.value.trim() ? '' : hits.length ? `${hit < 0 ? '' : `${(hit + 1).toLocaleString('en')} of `}${hits.length.toLocaleString('en')}` : 'none';
}

/** To the next hit, or the one before; the first is the first one in view, or after it. */
function toHit(by) {
  if (!hits.length) return;
  if (hit < 0) {
    const first = hits.findIndex(index => timeline.lines[index].at >= Math.max(0, view.from));
    hit = first < 0 ? 0 : by > 0 ? first : (first + hits.length - 1) % hits.length;
  } else {
    hit = (hit + by + hits.length) % hits.length;
  }
  tellHits();
  chooseLine(hits[hit]);
}

words.oninput = search;
byId('search').onsubmit = event => {
  event.preventDefault();
  toHit(1);
};
byId('previous').onclick = () => toHit(-1);
words.onkeydown = event => {
  if (event.key === 'Enter' && event.shiftKey) {
    event.preventDefault();
    toHit(-1);
  } else if (event.key === 'Escape') {
    words.value = '';
    search();
    chart.focus();
  }
};
