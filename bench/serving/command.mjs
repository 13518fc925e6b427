// What benches of servers have in common: options, the time that they may take, where they ran, parts one after another, and the report.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, release, tmpdir, type } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { judge } from './figures.mjs';
import { NETWORKS } from './networks.mjs';
import { killPrograms, stopPrograms } from './program.mjs';
import { wrkVersion } from './wrk.mjs';

const helpOf = ({ script, parts, rivals }) => `usage: npm run ${script} -- [options]
  --rivals      also ${rivals}, in environments under \${XDG_CACHE_HOME:-~/.cache}/analytics-api-bench, made where they are not
                there (PYTHON: the interpreter, python3 if not set)
  --rounds N    of each comparison (7)
  --seconds N   of each server in a round (3)
  --only PARTS  some of ${Object.keys(parts).join(', ')}, separated by commas
  --json FILE   writes everything that was measured
  --minutes N   after so many it ends, whatever is done (60)
Ends with 1 where a bar is missed or a part failed.`;

const OPTIONS = {
  rivals: { type: 'boolean', default: false },
  rounds: { type: 'string', default: '7' },
  seconds: { type: 'string', default: '3' },
  only: { type: 'string' },
  json: { type: 'string' },
  minutes: { type: 'string', default: '60' },
  help: { type: 'boolean', default: false },
};

function whole(values, name) {
  const value = Number(values[name]);
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new Error(`--${name}: a whole number from 1 on`);
}

function wantedParts(parts, { only }) {
  if (only === undefined) return Object.keys(parts);
  const wanted = only.split(',');
  const stranger = wanted.find((part) => !Object.hasOwn(parts, part));
  if (stranger !== undefined) throw new Error(`--only: no part "${stranger}"; there are ${Object.keys(parts).join(', ')}`);
  return Object.keys(parts).filter((part) => wanted.includes(part));
}

/** Servers must not outlive the bench, however it ends. */
function boundTime(minutes, folder) {
  const end = (why) => {
    console.error(why);
    killPrograms();
    rmSync(folder, { recursive: true, force: true });
    process.exit(1);
  };
  setTimeout(() => end(`not done after ${minutes} minutes`), minutes * 60_000).unref();
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => end(`ended by ${signal}`));
}

const onnxruntime = createRequire(import.meta.url)('onnxruntime-node/package.json').version;
const git = (...args) => execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' }).trim();

async function describe(values, tools) {
  const changed = git('status', '--porcelain', '--untracked-files=no') === '' ? '' : ' with changes';
  return {
    date: new Date().toISOString().slice(0, 10),
    commit: git('rev-parse', '--short', 'HEAD') + changed,
    machine: { cpus: cpus().length, model: cpus()[0].model, system: type(), kernel: release() },
    versions: { node: process.version, 'onnxruntime-node': onnxruntime, wrk: await wrkVersion(), ...(await tools()), rivals: {} },
    rounds: whole(values, 'rounds'),
    seconds: whole(values, 'seconds'),
    skipped: {},
  };
}

async function measure({ parts }, values, results, folder) {
  const model = join(folder, 'perceptron.onnx');
  writeFileSync(model, NETWORKS.perceptron.bytes);
  const { rounds, seconds, skipped, versions } = results;
  const context = { folder, model, rounds, seconds, rivals: values.rivals, onnxruntime, skipped, versions: versions.rivals };
  for (const part of wantedParts(parts, values)) {
    console.log(`\n${part} …`);
    try {
      results[part] = await parts[part](context);
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

function report({ text: { aboutOf, tablesOf, trustOf }, bars }, results) {
  console.log('');
  for (const line of aboutOf(results)) console.log(line);
  for (const table of tablesOf(results)) print(table);
  console.log('');
  for (const line of trustOf(results)) console.log(line);
  if (judge(results, bars).some(({ holds }) => holds === false)) process.exitCode = 1;
}

/**
 * @param bench `script`: its name for npm; `parts`: by name what measures it, in the order in which they run; `rivals`: who they are;
 * `text`: what tells the results, `bars`: what they are held against; `tools`: versions of what else it needs
 */
export async function runBench({ tools = () => ({}), ...bench }) {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) return console.log(helpOf(bench));
  const folder = mkdtempSync(join(tmpdir(), 'analytics-api-bench-'));
  boundTime(whole(values, 'minutes'), folder);
  try {
    const results = await describe(values, tools);
    await measure(bench, values, results, folder);
    report(bench, results);
    if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, undefined, 2)}\n`);
  } finally {
    await stopPrograms();
    rmSync(folder, { recursive: true, force: true });
  }
}
