// What the samples say: figures, and whether each is on the right side of its bar.
import { median } from './rounds.mjs';

const isNumber = (value) => typeof value === 'number' && !Number.isNaN(value);
const of = (samples, figure) => samples?.map((sample) => sample[figure]);

/** @returns undefined where it was not measured */
export const medianOf = (samples, figure) => (samples === undefined ? undefined : median(of(samples, figure)));

/** The median of the rounds' own results: both of a round had the same noise. @returns undefined where one was not measured */
function paired(samples, others, figure, combine) {
  if (samples === undefined || others === undefined) return undefined;
  return median(samples.map((sample, round) => combine(sample[figure], others[round][figure])));
}
export const ratio = (samples, others, figure) => paired(samples, others, figure, (one, other) => one / other);
export const difference = (samples, others, figure) => paired(samples, others, figure, (one, other) => one - other);

export const atLeast = (least, aim) => ({ text: `≥ ${least}${aim === undefined ? '' : `, aim ${aim}`}`, holds: (value) => value >= least });
export const atMost = (most, unit = '') => ({ text: `≤ ${most}${unit}`, holds: (value) => value <= most });
const below = (most) => ({ text: `< ${most}`, holds: (value) => value < most });

const rates = (connections, one, other, figure = 'perSecond') => {
  return ({ rates: measured }) => ratio(measured?.[connections]?.[one], measured?.[connections]?.[other], figure);
};
export const speed = (one, other, connections, bar) => ({
  what: `requests/s at ${connections}, ${one} / ${other}`,
  figure: rates(connections, one, other),
  bar,
});

const memoryPerModel = ({ memory }) => {
  const more = difference(memory?.further, memory?.examples, 'pssMb');
  return more === undefined ? undefined : more / memory.furtherModels;
};

/** What makes the rest worth reading: the limit is one. */
export const VALID = speed('limit', 'echo', 32, atLeast(1.4));

export const BARS = [
  speed('ours', 'limit', 1, atLeast(0.65, 1)),
  speed('ours', 'limit', 32, atLeast(0.9, 1)),
  speed('ours', 'limit', 128, atLeast(0.8, 1)),
  speed('ours', 'triton', 1, atLeast(1)),
  speed('ours', 'triton', 32, atLeast(1)),
  speed('ours', 'triton', 128, atLeast(0.85)),
  speed('ours', 'fastapi-raw', 1, atLeast(0.95)),
  speed('ours', 'fastapi-raw', 32, atLeast(2.3, 3)),
  speed('ours', 'fastapi-typed', 32, atLeast(3.2)),
  speed('isolated', 'limit', 32, atLeast(0.75)),
  speed('isolated', 'limit', 128, atLeast(0.75)),
  { what: 'CPU a request at 32, ours / limit', figure: rates(32, 'ours', 'limit', 'cpuMicros'), bar: atMost(1.2) },
  { what: 'CPU a request at 32, ours / triton', figure: rates(32, 'ours', 'triton', 'cpuMicros'), bar: below(1) },
  { what: 'p99 at 32, ours / limit', figure: rates(32, 'ours', 'limit', 'p99'), bar: atMost(3) },
  {
    what: 'rows/s in binary, 1,024 a request, ours / the engine alone',
    figure: ({ models }) => ratio(models?.perceptron.bulk.ours, models?.perceptron.bulk.engine, 'rowsPerSecond'),
    bar: atLeast(0.6),
  },
  {
    what: 'idle with the examples, MB (PSS)',
    figure: ({ memory }) => medianOf(memory?.examples, 'pssMb'),
    bar: atMost(220),
  },
  { what: 'one more small model, MB (PSS)', figure: memoryPerModel, bar: atMost(1) },
  {
    what: 'access log, metrics and correlation, µs of CPU a request',
    figure: ({ witnesses }) => difference(witnesses?.with, witnesses?.without, 'cpuMicros'),
    bar: atMost(15),
  },
];

/** @returns of each bar its figure, and whether it holds; neither where it was not measured */
export function judge(measured, bars) {
  return bars.map(({ what, figure, bar }) => {
    const value = figure(measured);
    return isNumber(value) ? { what, bar: bar.text, value, holds: bar.holds(value) } : { what, bar: bar.text };
  });
}

/** Models other than the perceptron, and the perceptron in bulk. */
export function modelFigures({ models = {} }) {
  return Object.values(models).map(({ about, bulk, oneRow }) => ({
    about,
    rows: bulk.rows,
    bulkOurs: medianOf(bulk.ours, 'rowsPerSecond'),
    bulkEngine: medianOf(bulk.engine, 'rowsPerSecond'),
    bulkRatio: ratio(bulk.ours, bulk.engine, 'rowsPerSecond'),
    oneOurs: medianOf(oneRow?.ours, 'perSecond'),
    oneLimit: medianOf(oneRow?.limit, 'perSecond'),
    oneRatio: ratio(oneRow?.ours, oneRow?.limit, 'perSecond'),
  }));
}

/** Of each server the medians: requests a second by connections, p50 at one, p99 and CPU at 32. */
export function serverFigures({ rates: measured }) {
  if (measured === undefined) return [];
  return Object.keys(measured[32]).map((name) => ({
    name,
    perSecond: Object.fromEntries(Object.entries(measured).map(([connections, seen]) => [connections, medianOf(seen[name], 'perSecond')])),
    p50: medianOf(measured[1][name], 'p50'),
    p99: medianOf(measured[32][name], 'p99'),
    cpuMicros: medianOf(measured[32][name], 'cpuMicros'),
  }));
}

/** Every sample that was taken under load. */
export function samplesOf({ rates: measured = {}, witnesses = {} }) {
  return [...Object.values(measured).flatMap((seen) => Object.values(seen)), ...Object.values(witnesses)].flat();
}

/** Of samples: in the middle, and at most. */
export const spreadOf = (samples, figure) => ({ middle: medianOf(samples, figure), most: Math.max(...of(samples, figure)) });
