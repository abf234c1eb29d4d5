// SVG by little: elements that are kept from one drawing to the next, and outlines that hold many shapes in one path.

const svgOf = document.getElementById('chart').namespaceURI;

/** An element with attributes; text where there is some. */
function element(tag, attributes = {}, text = null) {
  const made = document.createElementNS(svgOf, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== null) made.textContent = text;
  return made;
}

/** A group whose children are used again: `put` sets only what has changed since the last drawing. */
class Layer {
  constructor(parent, name) {
    this.group = parent.appendChild(element('g', {class: name}));
    this.used = 0;
  }

  begin() {
    this.used = 0;
  }

  put(tag, attributes, text = null) {
    let child = this.group.children[this.used];
    if (!child || child.tagName !== tag) {
      const made = element(tag);
      made.was = {};
      if (child) this.group.replaceChild(made, child);
      else this.group.appendChild(made);
      child = made;
    }
    for (const name of Object.keys(child.was)) if (!(name in attributes) && name !== 'text') child.removeAttribute(name);
    for (const [name, value] of Object.entries(attributes)) if (child.was[name] !== value) child.setAttribute(name, value);
    if (child.was.text !== text) child.textContent = text;
    child.was = {...attributes, text};
    this.used += 1;
  }

  end() {
    while (this.group.children.length > this.used) this.group.lastChild.remove();
  }
}

const round = x => Math.round(x * 10) / 10;
const box = (x1, y1, x2, y2) => `M${round(x1)} ${round(y1)}H${round(x2)}V${round(y2)}H${round(x1)}Z`;
const cross = (x, y, r) => `M${round(x - r)} ${round(y - r)}l${2 * r} ${2 * r}m0 ${-2 * r}l${-2 * r} ${2 * r}`;

/** A line's mark: a disc, a triangle where it warns, a square where it is an error; bigger for many. */
function dot(x, y, level, r) {
  if (level === 'error') return box(x - r, y - r, x + r, y + r);
  if (level === 'warning') return `M${round(x)} ${round(y - r * 1.3)}L${round(x + r * 1.2)} ${round(y + r)}H${round(x - r * 1.2)}Z`;
  return `M${round(x - r)} ${round(y)}a${round(r)} ${round(r)} 0 1 0 ${round(2 * r)} 0a${round(r)} ${round(r)} 0 1 0 ${round(-2 * r)} 0`;
}

/** A path through points with a head at its end: an arrow's, or a cross where it had no effect. */
function arrowPath(points, ok) {
  const [x2, y2] = points[points.length - 1];
  const [x1, y1] = points[points.length - 2];
  let d = points.map(([x, y], i) => `${i ? 'L' : 'M'}${round(x)} ${round(y)}`).join('');
  if (!ok) return d + cross(x2, y2, 3.5);
  const angle = Math.atan2(y2 - y1, x2 - x1);
  for (const turn of [-0.4, 0.4]) {
    d += `M${round(x2)} ${round(y2)}l${round(-8 * Math.cos(angle + turn))} ${round(-8 * Math.sin(angle + turn))}`;
  }
  return d;
}

/** Patterns, so that nothing rests on colour alone; made once, in the chart. */
function patterns(svg) {
  const defs = svg.appendChild(element('defs'));
  const pattern = (id, size, turn, ...shapes) => {
    const made = defs.appendChild(element('pattern', {id, width: size, height: size, patternUnits: 'userSpaceOnUse',
      patternTransform: `rotate(${turn})`}));
    shapes.forEach(shape => made.appendChild(shape));
  };
  const ground = (cls, size) => element('rect', {class: cls, width: size, height: size});
  pattern('p-candidate', 8, 45, ground('fill-candidate', 8), element('rect', {class: 'ink', width: 2, height: 8}));
  pattern('p-seeking', 8, 45, ground('fill-seeking', 8), element('circle', {class: 'ink', cx: 4, cy: 4, r: 1}));
  pattern('p-absent', 7, 45, ground('fill-absent', 7), element('path', {class: 'hatch', d: 'M0 0H7M0 0V7'}));
  pattern('p-fault', 10, -45, element('rect', {class: 'fault-ink', width: 3, height: 10}));
  pattern('p-gap', 6, 45, element('rect', {class: 'gap-ink', width: 1.5, height: 6}));
}
