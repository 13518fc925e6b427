// Figures as rows of text: the bench prints them, and the document has them as tables.
import { BARS, judge, modelFigures, serverFigures, spreadOf, VALID } from './figures.mjs';

/** What the benches of this house take for a quiet machine. */
const QUIET_CORES = 0.15;
const NOT_MEASURED = '–';
const shown = (value, digits) => (value === undefined ? NOT_MEASURED : value.toFixed(digits));
const digitsOf = (value) => (Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2);
const LABELS = {
  ours: 'analytics-api',
  isolated: 'analytics-api, MODEL_ISOLATION=always',
  limit: 'limit: bare node:http, a call of the engine a request',
  echo: 'echo: Nest and Express as created, a constant',
  'fastapi-raw': 'FastAPI, orjson, no validation',
  'fastapi-typed': 'FastAPI, pydantic in and out',
  triton: 'Triton, Python backend, dynamic batching',
  mlserver: 'MLServer, custom runtime',
};
export const labelOf = (name) => LABELS[name] ?? name;

function servers(results) {
  const rows = serverFigures(results).map(({ name, perSecond, p50, p99, cpuMicros }) => [
    labelOf(name),
    ...Object.values(perSecond).map((rate) => shown(rate, 0)),
    shown(p50, 2),
    shown(p99, 1),
    shown(cpuMicros, 0),
  ]);
  return { head: ['requests a second', '1', '32', '128', 'p50 ms at 1', 'p99 ms at 32', 'CPU µs at 32'], rows };
}

function models(results) {
  const rows = modelFigures(results).map((of) => [
    of.about,
    String(of.rows),
    ...[of.bulkOurs, of.bulkEngine].map((value) => shown(value, 0)),
    shown(of.bulkRatio, 2),
    ...[of.oneOurs, of.oneLimit].map((value) => shown(value, 0)),
    shown(of.oneRatio, 2),
  ]);
  return {
    head: ['model', 'rows a request', 'rows/s, binary', 'the engine alone', 'ratio', 'requests/s, one row in JSON', 'limit', 'ratio'],
    rows,
  };
}

const verdictOf = (holds) => (holds === undefined ? 'not measured' : holds ? 'holds' : 'MISSED');

function bars(results) {
  const rows = judge(results, [VALID, ...BARS]).map(({ what, bar, value, holds }) => {
    return [what, value === undefined ? NOT_MEASURED : shown(value, digitsOf(value)), bar, verdictOf(holds)];
  });
  return { head: ['what', 'figure', 'bar', ''], rows };
}

/** @returns tables with rows in them */
export function tablesOf(results) {
  return [servers(results), models(results), bars(results)].filter(({ rows }) => rows.length > 0);
}

const entries = (of) =>
  Object.entries(of)
    .map(([name, version]) => `${name} ${version}`)
    .join(' ');

/** Where and with what it was measured. */
export function aboutOf({ date, commit, machine, versions, rounds, seconds, skipped }) {
  const { rivals = {}, ...own } = versions;
  return [
    `${date}, commit ${commit}; ${machine.cpus} × ${machine.model}, ${machine.system} ${machine.kernel}; ${entries(own)}.`,
    ...Object.entries(rivals).map(([name, its]) => `${labelOf(name)}: ${entries(its)}.`),
    ...Object.entries(skipped).map(([name, why]) => `${labelOf(name)} was skipped: ${why.split('\n', 1)[0]}`),
    `Medians of ${rounds} rounds of ${seconds} s, by turns, all servers up; wrk with one thread on the same cores; a ratio is the median of the rounds’ own ratios.`,
  ];
}

/** How far the figures can be trusted. */
export function trustOf(results) {
  const [others, wrk] = [spreadOf(results, 'othersCores'), spreadOf(results, 'wrkCores')];
  const processes = results.memory?.examples.map((sample) => sample.processes);
  const [valid] = judge(results, [VALID]);
  return [
    ...(others.middle === undefined
      ? []
      : [
          `Cores that others used meanwhile: ${others.middle.toFixed(2)}, at most ${others.most.toFixed(2)}; wrk at most ${wrk.most.toFixed(2)}.`,
        ]),
    ...(others.middle > QUIET_CORES ? ['THE MACHINE WAS NOT QUIET: measure again.'] : []),
    ...(processes === undefined ? [] : [`Processes of the idle server: ${Math.max(...processes)}.`]),
    ...(valid.holds === false ? ['THIS RUN DOES NOT COUNT: what is taken for the limit is none on this machine now.'] : []),
  ];
}
