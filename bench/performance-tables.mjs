// The figures of bench/overload.mjs and bench/connections.mjs as the tables of docs/PERFORMANCE.md, between the comments that name them.
// usage: node bench/performance-tables.mjs [DOCUMENT]
import { readFileSync, writeFileSync } from 'node:fs';

const [DOCUMENT = 'docs/PERFORMANCE.md'] = process.argv.slice(2);
const figuresOf = (name) => JSON.parse(readFileSync(`docs/${name}.json`, 'utf8'));
const row = (cells) => `| ${cells.join(' | ')} |`;
const table = (head, rows) => [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');
const ms = (value) => value?.toFixed(value < 10 ? 1 : 0) ?? '–';

const STEP = {
  load: ({ factor }) => `${factor} ×`,
  'offered/s': ({ offeredPerSecond }) => offeredPerSecond.toFixed(0),
  'answered/s': ({ goodputPerSecond }) => goodputPerSecond.toFixed(0),
  refused: ({ refusedShare }) => `${(refusedShare * 100).toFixed(0)} %`,
  'p50 ms': ({ accepted }) => ms(accepted.p50),
  'p99 ms': ({ accepted }) => ms(accepted.p99),
  'p99 ms of a refusal': ({ refused }) => ms(refused?.p99),
  'live p50 ms': ({ live }) => ms(live.p50),
  'live p99 ms': ({ live }) => ms(live.p99),
  'live max ms': ({ live }) => ms(live.max),
  'cores of others': ({ othersCores }) => othersCores.toFixed(2),
};

/** What the bench takes for a quiet machine. */
const QUIET_CORES = 0.15;

function overload({ machine, cases }) {
  const others = Math.max(...cases.flatMap(({ steps }) => steps.map(({ othersCores }) => othersCores)));
  const noise = `**The machine was not quiet**: other programs used up to ${others.toFixed(1)} of its cores, during the search for the capacity too. Only the shape says something; measure again.`;
  const parts = cases.map(({ name, about, batchRows, capacityPerSecond, unloaded, recovered, steps }) => {
    const rows = steps.map((step) => Object.values(STEP).map((cell) => cell(step)));
    const before = `Unloaded p50 ${ms(unloaded.p50)} ms; five seconds after the last load ${ms(recovered.p50)} ms.`;
    const run = `${batchRows} ${batchRows === 1 ? 'row' : 'rows'} a run`;
    return `**${name}**: ${about}, at most ${run}.\nCapacity ${capacityPerSecond.toFixed(0)} calls a second. ${before}\n\n${table(Object.keys(STEP), rows)}`;
  });
  const where = `On ${machine.cpus} × ${machine.model}, Node ${machine.node}:`;
  return [where, ...(others > QUIET_CORES ? [noise] : []), ...parts].join('\n\n');
}

function connections({ machine, rounds, seconds, commits, rows }) {
  const rate = ({ median, best }) => `${median} (${best})`;
  const ratio = (one, other) => `${(one.median / other.median).toFixed(2)} (${(one.best / other.best).toFixed(2)})`;
  const head = ['callers', `before (${commits.before})`, 'by itself', 'together', 'together / before', 'together / by itself'];
  const cells = rows.map(({ connections: callers, before, alone, together }) => {
    return [callers, rate(before), rate(alone), rate(together), ratio(together, before), ratio(together, alone)];
  });
  const how = `On ${machine.cpus} × ${machine.model}, Node ${machine.node}; ${rounds} rounds of ${seconds} s, by turns; answers a second: the median, in brackets the best.`;
  return `${how}\n\n${table(head, cells)}`;
}

const sections = { overload: overload(figuresOf('overload')), connections: connections(figuresOf('connections')) };
let text = readFileSync(DOCUMENT, 'utf8');
for (const [name, figures] of Object.entries(sections)) {
  const [before, rest] = text.split(`<!-- ${name} -->\n`);
  const after = rest.slice(rest.indexOf(`<!-- end of ${name} -->`));
  text = `${before}<!-- ${name} -->\n${figures}\n${after}`;
}
writeFileSync(DOCUMENT, text);
