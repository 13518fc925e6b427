// What the samples of the cache say: figures, and whether each is on the right side of its bar.
import { atLeast, atMost, difference, medianOf, ratio, serverFigures, speed, VALID } from '../serving/figures.mjs';
import { median } from '../serving/rounds.mjs';

/** For a figure that explains others. */
const noBar = { text: '–', holds: () => undefined };

/** Servers of `hits` are what those of `rates` are in the bench of serving. */
const amongHits = ({ what, figure, bar }) => ({ what, figure: ({ hits }) => figure({ rates: hits }), bar });
const hitSpeed = (one, other, connections, bar) => amongHits(speed(one, other, connections, bar));
const ofHits =
  (name, other, figure) =>
  ({ hits }) =>
    ratio(hits?.[32][name], hits?.[32][other], figure);

const sumOf = (samples, figure) => samples?.reduce((sum, sample) => sum + sample[figure], 0);

/** Requests that no cache answered, at any number of connections. */
const straysOf = (name) => ({
  what: `requests of ${name} that were no hits, where all were to be`,
  figure: ({ hits }) => {
    const samples = Object.values(hits ?? {}).flatMap((seen) => seen[name] ?? []);
    return samples.length === 0 ? undefined : sumOf(samples, 'strays');
  },
  bar: atMost(0),
});

/** A busy machine may make Redis late, which is a miss. */
const notInRedis = ({ redis }) => {
  if (redis === undefined) return undefined;
  const samples = Object.values(redis.by).flatMap(({ hit }) => hit);
  const others = sumOf(samples, 'computed') + sumOf(samples, 'memoryHits');
  return (others / (sumOf(samples, 'hits') + sumOf(samples, 'computed'))) * 100;
};

const wrongWay = (what, figure) => ({ what, figure, bar: atMost(0) });

/** What makes the rest worth reading: the limit is one, and the caches were asked as they were to be. */
export const VALIDS = [
  amongHits(VALID),
  ...['ours', 'triton-cache', 'fastapi-cache'].map(straysOf),
  { what: 'answers that were no hits in Redis, where all were to be, %', figure: notInRedis, bar: atMost(1) },
  wrongWay('hits, where none was to be', ({ misses }) => misses && sumOf(misses.cached, 'hits') + sumOf(misses.off, 'hits')),
  wrongWay('large requests that were no hits, where all were to be', ({ large }) => large && sumOf(large.hit, 'computed')),
];

const redisRatio = (connections, figure, [one, other]) => {
  return ({ redis }) => ratio(redis?.by[connections][one], redis?.by[connections][other], figure);
};
const missMicros = ({ misses }) => difference(misses?.cached, misses?.off, 'cpuMicros');
const ofLarge =
  (figure, [one, other]) =>
  ({ large }) =>
    ratio(large?.[one], large?.[other], figure);

export const BARS = [
  hitSpeed('ours', 'limit', 1, atLeast(0.85)),
  hitSpeed('ours', 'limit', 32, atLeast(1)),
  hitSpeed('ours', 'limit', 128, noBar),
  hitSpeed('ours', 'triton-cache', 1, noBar),
  hitSpeed('ours', 'triton-cache', 32, atLeast(0.45, 0.7)),
  hitSpeed('ours', 'triton-cache', 128, noBar),
  hitSpeed('ours', 'fastapi-cache', 32, atLeast(4)),
  { what: 'CPU a request at 32, ours / limit', figure: ofHits('ours', 'limit', 'cpuMicros'), bar: noBar },
  { what: 'CPU a request at 32, ours / triton-cache', figure: ofHits('ours', 'triton-cache', 'cpuMicros'), bar: noBar },
  { what: 'p99 at 32, ours / limit', figure: ofHits('ours', 'limit', 'p99'), bar: noBar },
  { what: 'a run of the model that a hit in Redis is held against, ms', figure: ({ redis }) => redis?.runMs, bar: noBar },
  { what: 'p50 at 1, a run / a hit in Redis', figure: redisRatio(1, 'p50', ['run', 'hit']), bar: atLeast(3) },
  { what: 'requests/s at 32, hits in Redis / runs', figure: redisRatio(32, 'perSecond', ['hit', 'run']), bar: atLeast(3) },
  { what: 'CPU of a miss, more than without a cache, µs', figure: missMicros, bar: noBar },
  { what: 'the hash of a request by itself, µs', figure: ({ misses }) => misses?.hashMicros, bar: noBar },
  {
    what: 'CPU of a miss, more than without a cache and the hash, µs',
    figure: (measured) => measured.misses && missMicros(measured) - measured.misses.hashMicros,
    bar: atMost(10),
  },
  { what: 'requests/s at 8, 1,000 rows in JSON, hits / computed', figure: ofLarge('perSecond', ['hit', 'computed']), bar: noBar },
  { what: 'p50 at 8, 1,000 rows in JSON, computed / a hit', figure: ofLarge('p50', ['computed', 'hit']), bar: noBar },
  {
    what: 'CPU of a hit of 1,000 rows / JSON.parse of its body by itself',
    figure: ({ large }) => large && median(large.hit.map(({ cpuMicros }) => cpuMicros / large.parseMicros)),
    bar: noBar,
  },
];

export const hitFigures = ({ hits }) => serverFigures({ rates: hits });

const wayFigures = (what, connections, samples) => ({
  what,
  connections,
  ...Object.fromEntries(['perSecond', 'p50', 'p99', 'cpuMicros'].map((figure) => [figure, medianOf(samples, figure)])),
});

/** Of each way of our own server the medians. */
export function ownFigures({ redis, misses, large }) {
  const redisWays = Object.entries(redis?.by ?? {}).flatMap(([connections, { hit, run }]) => [
    wayFigures('a hit in Redis', connections, hit),
    wayFigures(`a run of ${redis.runMs.toFixed(1)} ms`, connections, run),
  ]);
  const missWays =
    misses === undefined
      ? []
      : [wayFigures('a miss, kept', misses.connections, misses.cached), wayFigures('no cache', misses.connections, misses.off)];
  const largeWays =
    large === undefined
      ? []
      : [
          wayFigures(`${large.rows} rows in JSON, a hit`, large.connections, large.hit),
          wayFigures(`${large.rows} rows in JSON, computed`, large.connections, large.computed),
        ];
  return [...redisWays, ...missWays, ...largeWays];
}

/** Every sample that was taken under load. */
export function samplesOf({ hits = {}, redis, misses, large }) {
  const bySize = [...Object.values(hits), ...Object.values(redis?.by ?? {})].flatMap((seen) => Object.values(seen));
  return [...bySize, ...(misses ? [misses.cached, misses.off] : []), ...(large ? [large.hit, large.computed] : [])].flat();
}
