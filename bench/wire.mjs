// Figures of the codec: strict reading against plain JSON.parse of the same bytes, short float32 texts against plain JSON.stringify.
// usage: npm run --silent build && node bench/wire.mjs
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { join } from 'node:path';

const WINDOWS = 60;
const WINDOW_BYTES = 1_000_000;
const BAR_US = 2;
const BAR_RATIO = 1.3;
const BAR_NS = 60;
const VALUES = 10_000;
const ROOT = join(import.meta.dirname, '..');
const require = createRequire(import.meta.url);
const { parseTensorJson } = require(join(ROOT, 'dist/wire/strict-json'));
const { shortestFloat32 } = require(join(ROOT, 'dist/runtime/float32'));

const many = (length, make) => Array.from({ length }, (_, at) => make(at));
const full = () => Math.random();
const short = () => Math.round(Math.random() * 1e6) / 1e6;
const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
const bodyOf = (rows) => Buffer.from(JSON.stringify({ instances: rows }));
const us = (value) => `${value < 10 ? value.toFixed(2) : value.toFixed(0)} us`;
const verdict = (holds) => {
  if (!holds) process.exitCode = 1;
  return holds ? 'pass' : 'fail';
};

/** The least of many windows, by turns, so that what else the machine does hurts all of them. @returns microseconds of one call of each way */
function least(calls, ways) {
  const best = ways.map(() => Infinity);
  for (let window = 0; window < WINDOWS; window++) {
    for (const [at, way] of ways.entries()) {
      const startedAt = performance.now();
      for (let call = 0; call < calls; call++) way();
      best[at] = Math.min(best[at], ((performance.now() - startedAt) / calls) * 1000);
    }
  }
  return best;
}

/** @param bar whether what it costs more, and what it costs against JSON.parse, is little enough */
function reading(what, body, bar) {
  const ways = [() => parseTensorJson(body).value, () => JSON.parse(body.toString())];
  const [ours, plain] = least(Math.max(3, Math.round(WINDOW_BYTES / body.length)), ways);
  const judged = bar === undefined ? '' : ` (${verdict(bar(ours - plain, ours / plain))})`;
  console.log(
    `${what}, ${body.length} bytes: ${us(ours)}, JSON.parse ${us(plain)}: ${us(ours - plain)} more, ${(ours / plain).toFixed(2)} of it${judged}`,
  );
}

/** What is refused before anything is built of it. */
function refusing(what, text, barMs) {
  const body = Buffer.from(text);
  const [took] = least(1, [
    () => {
      try {
        parseTensorJson(body);
      } catch {
        return;
      }
      throw new Error(`${what} was taken`);
    },
  ]);
  console.log(`${what}, refused: ${us(took)} (bar ${barMs} ms: ${verdict(took <= barMs * 1000)})`);
}

function writing(what, make, bar) {
  const values = Float32Array.from({ length: VALUES }, make);
  let sum = 0;
  const [alone, ours, plain] = least(5, [
    () => {
      for (let at = 0; at < VALUES; at++) sum += shortestFloat32(values[at]);
    },
    () => JSON.stringify(Array.from(values, shortestFloat32)),
    () => JSON.stringify(Array.from(values)),
  ]);
  if (Number.isNaN(sum)) throw new Error('no numbers');
  const ns = (alone * 1000) / VALUES;
  const judged = bar === undefined ? '' : ` (bar ${bar}: ${verdict(ns <= bar)})`;
  console.log(
    `${VALUES} float32, ${what}: ${ns.toFixed(0)} ns each${judged}; with JSON.stringify ${us(ours)}, without ${us(plain)}: ${(ours / plain).toFixed(2)} of it`,
  );
}

/** Whole numbers beyond 2^53. */
function exactly() {
  const body = Buffer.from(`{"instances":[${many(VALUES, () => '9007199254740993').join(',')}]}`);
  const [ours, once] = least(3, [() => parseTensorJson(body).exact(), () => parseTensorJson(body).value]);
  console.log(`${VALUES} whole numbers beyond 2^53: ${us(ours)} exactly, ${us(once)} rounded`);
}

const cheap = (more) => more <= BAR_US;
const near = (_, ratio) => ratio <= BAR_RATIO;
const named = () => ({ sepal_length: short(), sepal_width: short(), petal_length: short(), petal_width: short() });

console.log(`${cpus().length} x ${cpus()[0].model}, Node ${process.version}; the least of ${WINDOWS} windows, by turns`);
console.log(`bars: ${BAR_US} us more for 10 numbers, ${BAR_RATIO} times JSON.parse for ${VALUES}`);
reading('10 numbers of 17 digits', bodyOf([many(10, full)]), cheap);
reading('10 numbers of 6 digits', bodyOf([many(10, short)]), cheap);
reading('10000 numbers of 17 digits', bodyOf(many(VALUES, full)), near);
reading('10000 numbers of 6 digits', bodyOf(many(VALUES, short)), near);
reading('1000 rows of 10 numbers of 17 digits', bodyOf(many(1000, () => many(10, full))), near);
reading('1000 rows with 4 names', bodyOf(many(1000, named)));
reading('10000 rows with 4 names', bodyOf(many(VALUES, named)));
reading('1000 rows with 30 names', bodyOf(many(1000, () => Object.fromEntries(many(30, (at) => [`feature ${at}`, short()])))));
reading('2000 texts of 60 letters', bodyOf(many(2000, (at) => `${at} `.padEnd(60, 'lorem ipsum '))));
exactly();
refusing('8 MiB of opening brackets', '['.repeat(2 ** 23), 50);
refusing('a million arrays in one another', '['.repeat(1e6) + ']'.repeat(1e6), 50);
refusing('131072 keys of equal hash', `{${many(131_072, (at) => `"${at * 16_384}":0`).join(',')}}`, 100);
writing('normally distributed', normal, BAR_NS);
writing('from 0 to 1', full, BAR_NS);
writing('whole', () => Math.round(Math.random() * 1000), BAR_NS);
writing('two digits after the point', () => Math.round(Math.random() * 1e4) / 100, BAR_NS);
writing('of any size', () => (Math.random() < 0.5 ? -1 : 1) * 10 ** (Math.random() * 76 - 38));
