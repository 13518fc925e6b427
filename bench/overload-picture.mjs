// The figures of bench/overload.mjs as a picture: what is answered and refused, and how long it takes, over what is offered.
// usage: node bench/overload-picture.mjs [FIGURES] [PICTURE]
import { readFileSync, writeFileSync } from 'node:fs';

const [FIGURES = 'docs/overload.json', PICTURE = 'docs/overload.svg'] = process.argv.slice(2);
const [WIDTH, ROW, TOP] = [880, 300, 50];
const PANEL = { width: 330, height: 180, above: 64, lefts: [70, 500] };
/** The browser chooses by what its reader prefers; the picture brings its own ground, so it can be read on any page. */
const STYLE = `
  svg { --ground: #ffffff; --ink: #1f2328; --soft: #59636e; --grid: #d1d9e0; --one: #0a5bc4; --two: #b3420a }
  @media (prefers-color-scheme: dark) { svg { --ground: #0d1117; --ink: #f0f6fc; --soft: #9198a1; --grid: #3d444d; --one: #6cb0ff; --two: #ffa657 } }
  .ground { fill: var(--ground) } .grid { stroke: var(--grid) } text { font: 12px sans-serif; fill: var(--soft) }
  .title { font-size: 14px; font-weight: bold; fill: var(--ink) } .one { fill: var(--one) } .two { fill: var(--two) }
  path.one, path.two { fill: none; stroke-width: 2 } path.one { stroke: var(--one) } path.two { stroke: var(--two); stroke-dasharray: 6 3 }`;

const fixed = (value) => Number(value.toFixed(1));
const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
const text = (x, y, words, { anchor = 'start', kind = '' } = {}) =>
  `<text x="${fixed(x)}" y="${fixed(y)}" text-anchor="${anchor}"${kind && ` class="${kind}"`}>${escaped(words)}</text>`;

/** The next of 1, 2, 5, 10, 20 … that is not less. */
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((times) => times * power).find((candidate) => candidate >= value);
}

/** A panel: its lines over the load. Each load is as far from the last, as each is twice that. */
function panel({ left, top, title, loads, lines }) {
  const x = (at) => left + 24 + (at * (PANEL.width - 48)) / (loads.length - 1);
  const parts = [text(left, top - 34, title, { kind: 'title' })];
  for (const [at, load] of loads.entries()) parts.push(text(x(at), top + PANEL.height + 18, `${load} ×`, { anchor: 'middle' }));
  parts.push(text(left + PANEL.width / 2, top + PANEL.height + 36, 'offered load, in capacities', { anchor: 'middle' }));
  for (const part of [0, 0.5, 1]) {
    const y = fixed(top + PANEL.height * (1 - part));
    parts.push(`<path class="grid" d="M${left} ${y}H${left + PANEL.width}"/>`);
    for (const [at, line] of lines.entries()) {
      if (line.scaleOf !== undefined) continue;
      const edge = at === 0 ? { x: left - 6, anchor: 'end' } : { x: left + PANEL.width + 6, anchor: 'start' };
      parts.push(text(edge.x, y + 4, line.label(line.most * part), { anchor: edge.anchor, kind: line.kind }));
    }
  }
  for (const [at, { kind, name, most, values }] of lines.entries()) {
    const y = (value) => top + PANEL.height * (1 - value / most);
    const points = values.map((value, step) => `${fixed(x(step))} ${fixed(y(value))}`);
    parts.push(`<path class="${kind}" d="M${points.join('L')}"/>`);
    for (const point of points) parts.push(`<circle class="${kind}" cx="${point.split(' ')[0]}" cy="${point.split(' ')[1]}" r="3.5"/>`);
    const right = at === 1;
    parts.push(text(right ? left + PANEL.width : left, top - 14, name, { anchor: right ? 'end' : 'start', kind }));
  }
  return parts;
}

function caseOf({ name, capacityPerSecond, batchRows, steps }, at) {
  const top = TOP + at * ROW;
  const loads = steps.map(({ factor }) => factor);
  const number = (value) => String(Math.round(value));
  const answered = steps.map(({ goodputPerSecond }) => goodputPerSecond);
  const refused = steps.map(({ refusedShare }) => refusedShare * 100);
  const [p50, p99] = ['p50', 'p99'].map((which) => steps.map(({ accepted }) => accepted[which]));
  const most = roundUp(Math.max(...p99));
  const rows = batchRows === 1 ? 'one row a run' : `up to ${batchRows} rows a run`;
  const panels = [
    {
      title: `${name}: ${rows}`,
      lines: [
        {
          kind: 'one',
          name: `answered a second (capacity ${number(capacityPerSecond)})`,
          most: roundUp(Math.max(...answered)),
          label: number,
          values: answered,
        },
        { kind: 'two', name: 'refused at once, %', most: 100, label: number, values: refused },
      ],
    },
    {
      title: `time of what was answered, ms`,
      lines: [
        { kind: 'one', name: 'p50', most, label: number, values: p50 },
        { kind: 'two', name: 'p99', scaleOf: 'p50', most, values: p99 },
      ],
    },
  ];
  return panels.flatMap((each, column) => panel({ ...each, loads, left: PANEL.lefts[column], top: top + PANEL.above }));
}

const { machine, cases } = JSON.parse(readFileSync(FIGURES, 'utf8'));
const height = TOP + cases.length * ROW;
const picture = [
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Answers, refusals and times over the offered load">`,
  `<style>${STYLE}\n</style>`,
  `<rect class="ground" width="${WIDTH}" height="${height}" rx="8"/>`,
  text(70, 36, `Open loop, Poisson arrivals; ${machine.cpus} × ${machine.model}, the load from the same machine`),
  ...cases.flatMap(caseOf),
  '</svg>',
];
writeFileSync(PICTURE, `${picture.join('\n')}\n`);
