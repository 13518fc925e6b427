// How benches of servers tell figures, bars, and what can be made of them.
import { judge, spreadOf } from './figures.mjs';

/** What the benches of this house take for a quiet machine. */
const QUIET_CORES = 0.15;
const NOT_MEASURED = '–';
const LABELS = {
  ours: 'analytics-api',
  isolated: 'analytics-api, MODEL_ISOLATION=always',
  limit: 'limit: bare node:http, a call of the engine a request',
  echo: 'echo: Nest and Express as created, a constant',
  'fastapi-raw': 'FastAPI, orjson, no validation',
  'fastapi-typed': 'FastAPI, pydantic in and out',
  'fastapi-cache': 'FastAPI, fastapi-cache2 over Redis, every request a hit',
  triton: 'Triton, Python backend, dynamic batching',
  'triton-cache': 'Triton, response cache, every request a hit',
  mlserver: 'MLServer, custom runtime',
};
export const labelOf = (name) => LABELS[name] ?? name;

export const shown = (value, digits) => (value === undefined ? NOT_MEASURED : value.toFixed(digits));
const digitsOf = (value) => (Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2);

/** @param servers of `serverFigures` */
export function serversTable(servers, label = labelOf) {
  const rows = servers.map(({ name, perSecond, p50, p99, cpuMicros }) => [
    label(name),
    ...Object.values(perSecond).map((rate) => shown(rate, 0)),
    shown(p50, 2),
    shown(p99, 1),
    shown(cpuMicros, 0),
  ]);
  return { head: ['requests a second', '1', '32', '128', 'p50 ms at 1', 'p99 ms at 32', 'CPU µs at 32'], rows };
}

function verdictOf({ value, holds }) {
  if (value === undefined) return 'not measured';
  return holds === undefined ? '' : holds ? 'holds' : 'MISSED';
}

export function barsTable(results, bars) {
  const rows = judge(results, bars).map(({ what, bar, ...judged }) => [
    what,
    judged.value === undefined ? NOT_MEASURED : shown(judged.value, digitsOf(judged.value)),
    bar,
    verdictOf(judged),
  ]);
  return { head: ['what', 'figure', 'bar', ''], rows };
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

/** What else the machine did. @param samples all that were taken under load */
export function quietOf(samples) {
  const [others, wrk] = [spreadOf(samples, 'othersCores'), spreadOf(samples, 'wrkCores')];
  if (others.middle === undefined) return [];
  return [
    `Cores that others used meanwhile: ${others.middle.toFixed(2)}, at most ${others.most.toFixed(2)}; wrk at most ${wrk.most.toFixed(2)}.`,
    ...(others.middle > QUIET_CORES ? ['THE MACHINE WAS NOT QUIET: measure again.'] : []),
  ];
}
