// The figures of bench/serving.mjs as a picture: requests a second and CPU a request of every server, as bars.
// usage: node bench/serving/picture.mjs [FIGURES] [PICTURE]
import { readFileSync, writeFileSync } from 'node:fs';
import { serverFigures } from './figures.mjs';

const [FIGURES = 'docs/serving.json', PICTURE = 'docs/serving.svg'] = process.argv.slice(2);
const [WIDTH, TOP, BAR, GAP, TITLE, BELOW] = [880, 56, 16, 8, 26, 30];
const PANEL = { lefts: [150, 580], width: 200 };
/** The browser chooses by what its reader prefers; the picture brings its own ground, so it can be read on any page. */
const STYLE = `
  svg { --ground: #ffffff; --ink: #1f2328; --soft: #59636e; --grid: #d1d9e0; --one: #0a5bc4; --two: #b3420a }
  @media (prefers-color-scheme: dark) { svg { --ground: #0d1117; --ink: #f0f6fc; --soft: #9198a1; --grid: #3d444d; --one: #6cb0ff; --two: #ffa657 } }
  .ground { fill: var(--ground) } text { font: 12px sans-serif; fill: var(--soft) } .title { font-size: 14px; font-weight: bold; fill: var(--ink) }
  .one { fill: var(--one) } .two { fill: var(--two) } .rest { fill: var(--soft) }`;
const SHORT = {
  ours: 'analytics-api',
  isolated: '… isolated',
  limit: 'limit',
  echo: 'echo',
  'fastapi-raw': 'FastAPI, raw',
  'fastapi-typed': 'FastAPI, typed',
  triton: 'Triton',
  mlserver: 'MLServer',
};
/** Ours, what they are held against, and the rest. */
const KINDS = { ours: 'one', isolated: 'one', limit: 'two', echo: 'two' };

const fixed = (value) => Number(value.toFixed(1));
const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
const text = (x, y, words, { anchor = 'start', kind = '' } = {}) =>
  `<text x="${fixed(x)}" y="${fixed(y)}" text-anchor="${anchor}"${kind && ` class="${kind}"`}>${escaped(words)}</text>`;

/** A bar of each server, the longest as wide as the panel. */
function panel({ left, top, title, servers, valueOf }) {
  const most = Math.max(...servers.map(valueOf));
  const bars = servers.flatMap((server, at) => {
    const y = top + TITLE + at * (BAR + GAP);
    const width = fixed((PANEL.width * valueOf(server)) / most);
    return [
      text(left - 8, y + BAR - 4, SHORT[server.name] ?? server.name, { anchor: 'end' }),
      `<rect class="${KINDS[server.name] ?? 'rest'}" x="${left}" y="${y}" width="${width}" height="${BAR}" rx="2"/>`,
      text(left + width + 6, y + BAR - 4, String(Math.round(valueOf(server)))),
    ];
  });
  return [text(left, top + 10, title, { kind: 'title' }), ...bars];
}

const results = JSON.parse(readFileSync(FIGURES, 'utf8'));
const servers = serverFigures(results);
if (servers.length === 0) throw new Error(`${FIGURES} has no part "rates"`);
const rateAt = (connections) => ({
  title: `requests a second, ${connections} ${connections === 1 ? 'connection' : 'connections'}`,
  valueOf: ({ perSecond }) => perSecond[connections],
});
const panels = [...[1, 32, 128].map(rateAt), { title: 'CPU µs a request, 32 connections', valueOf: ({ cpuMicros }) => cpuMicros }];
const panelHeight = TITLE + servers.length * (BAR + GAP) + BELOW;
const height = TOP + Math.ceil(panels.length / 2) * panelHeight;
const { machine, rounds } = results;
const picture = [
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Requests a second and CPU a request of each server">`,
  `<style>${STYLE}\n</style>`,
  `<rect class="ground" width="${WIDTH}" height="${height}" rx="8"/>`,
  text(
    20,
    30,
    `A row a request in JSON, 10-64-64-1 network; medians of ${rounds} rounds, on ${machine.cpus} × ${machine.model}, wrk on the same cores`,
  ),
  ...panels.flatMap((each, at) => panel({ ...each, servers, left: PANEL.lefts[at % 2], top: TOP + Math.floor(at / 2) * panelHeight })),
  '</svg>',
];
writeFileSync(PICTURE, `${picture.join('\n')}\n`);
