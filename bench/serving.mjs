// How fast, how dear and how large our server is, beside the least that could do the same, and beside rivals. Each figure with its bar.
// usage: npm run bench:serving -- [--rivals] [--rounds N] [--seconds N] [--only PART,…] [--json FILE]
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, release, tmpdir, type } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { BARS, judge, VALID } from './serving/figures.mjs';
import { measureMemory } from './serving/memory.mjs';
import { NETWORKS } from './serving/networks.mjs';
import { killPrograms, stopPrograms } from './serving/program.mjs';
import { measureRates } from './serving/rates.mjs';
import { aboutOf, tablesOf, trustOf } from './serving/text.mjs';
import { measureWitnesses } from './serving/witnesses.mjs';
import { wrkVersion } from './serving/wrk.mjs';

/** In this order: memory wants this process small, and the engine, which `models` brings into it, not there. */
const PARTS = {
  memory: measureMemory,
  rates: measureRates,
  witnesses: measureWitnesses,
  models: async (context) => (await import('./serving/models.mjs')).measureModels(context),
};
const HELP = `usage: npm run bench:serving -- [options]
  --rivals      also FastAPI, Triton and MLServer, in environments under \${XDG_CACHE_HOME:-~/.cache}/analytics-api-bench, made where they are not
                there (PYTHON: the interpreter, python3 if not set)
  --rounds N    of each comparison (7)
  --seconds N   of each server in a round (3)
  --only PARTS  some of ${Object.keys(PARTS).join(', ')}, separated by commas
  --json FILE   writes everything that was measured
  --minutes N   after so many it ends, whatever is done (60)
Ends with 1 where a bar is missed or a part failed.`;

const { values } = parseArgs({
  options: {
    rivals: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '3' },
    only: { type: 'string', default: Object.keys(PARTS).join(',') },
    json: { type: 'string' },
    minutes: { type: 'string', default: '60' },
    help: { type: 'boolean', default: false },
  },
});

function whole(name) {
  const value = Number(values[name]);
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new Error(`--${name}: a whole number from 1 on`);
}

function wantedParts() {
  const wanted = values.only.split(',');
  const stranger = wanted.find((part) => !Object.hasOwn(PARTS, part));
  if (stranger !== undefined) throw new Error(`--only: no part "${stranger}"; there are ${Object.keys(PARTS).join(', ')}`);
  return Object.keys(PARTS).filter((part) => wanted.includes(part));
}

/** Servers must not outlive the bench, however it ends. */
function boundTime(folder) {
  const end = (why) => {
    console.error(why);
    killPrograms();
    rmSync(folder, { recursive: true, force: true });
    process.exit(1);
  };
  setTimeout(() => end(`not done after ${values.minutes} minutes`), whole('minutes') * 60_000).unref();
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => end(`ended by ${signal}`));
}

const onnxruntime = createRequire(import.meta.url)('onnxruntime-node/package.json').version;
const git = (...args) => execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' }).trim();

async function describe() {
  const changed = git('status', '--porcelain', '--untracked-files=no') === '' ? '' : ' with changes';
  return {
    date: new Date().toISOString().slice(0, 10),
    commit: git('rev-parse', '--short', 'HEAD') + changed,
    machine: { cpus: cpus().length, model: cpus()[0].model, system: type(), kernel: release() },
    versions: { node: process.version, 'onnxruntime-node': onnxruntime, wrk: await wrkVersion(), rivals: {} },
    rounds: whole('rounds'),
    seconds: whole('seconds'),
    skipped: {},
  };
}

async function measure(results, folder) {
  const model = join(folder, 'perceptron.onnx');
  writeFileSync(model, NETWORKS.perceptron.bytes);
  const { rounds, seconds, skipped, versions } = results;
  const context = { folder, model, rounds, seconds, rivals: values.rivals, onnxruntime, skipped, versions: versions.rivals };
  for (const part of wantedParts()) {
    console.log(`\n${part} …`);
    try {
      results[part] = await PARTS[part](context);
    } catch (error) {
      console.error(error); // the other parts may tell something all the same
      process.exitCode = 1;
    }
    await stopPrograms();
  }
}

function print({ head, rows }) {
  const widths = head.map((title, column) => Math.max(...[title, ...rows.map((row) => row[column])].map(({ length }) => length)));
  const line = (cells) =>
    console.log(
      cells
        .map((cell, at) => (at === 0 ? cell.padEnd(widths[at]) : cell.padStart(widths[at])))
        .join('  ')
        .trimEnd(),
    );
  console.log('');
  line(head);
  for (const row of rows) line(row);
}

function report(results) {
  console.log('');
  for (const line of aboutOf(results)) console.log(line);
  for (const table of tablesOf(results)) print(table);
  console.log('');
  for (const line of trustOf(results)) console.log(line);
  if (judge(results, [VALID, ...BARS]).some(({ holds }) => holds === false)) process.exitCode = 1;
}

async function main() {
  const folder = mkdtempSync(join(tmpdir(), 'analytics-api-bench-'));
  boundTime(folder);
  try {
    const results = await describe();
    await measure(results, folder);
    report(results);
    if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, undefined, 2)}\n`);
  } finally {
    await stopPrograms();
    rmSync(folder, { recursive: true, force: true });
  }
}

if (values.help) console.log(HELP);
else await main();
