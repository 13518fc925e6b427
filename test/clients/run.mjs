// Real clients against the real server: tritonclient, KServe's client, and every block of docs/CLIENTS.md. Their packages are kept in
// node_modules/.cache. usage: npm run test:clients [-- jest's arguments]; PYTHON names another interpreter
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');
const REQUIREMENTS = join(import.meta.dirname, 'requirements.txt');
const OLDEST = 11; // of Python 3: numpy asks for it
const NEWEST = 13; // kserve does

const python = process.env.PYTHON ?? 'python3';
const about = whatIsThere();
if (about.why !== undefined) {
  console.log(`test:clients skipped: ${about.why}`);
  process.exit();
}

/** What Python there is. @returns { version }, or { why } where none is of use */
function whatIsThere() {
  const { status, stdout } = spawnSync(python, ['-c', 'import sys; print(*sys.version_info[:3], sep=".")'], { encoding: 'utf8' });
  if (status !== 0) return { why: `there is no ${python}` };
  const version = stdout.trim();
  const [major, minor] = version.split('.').map(Number);
  if (major !== 3 || minor < OLDEST || minor > NEWEST) return { why: `${python} is ${version}, wanted is 3.${OLDEST} to 3.${NEWEST}` };
  const parts = spawnSync(python, ['-c', 'import ensurepip, venv'], { stdio: 'ignore' });
  return parts.status === 0 ? { version } : { why: `${python} has no venv (Debian: apt-get install python3-venv)` };
}

/** Runs a command to its end. @throws where it fails */
function run(what, command, ...args) {
  const startedAt = performance.now();
  const { status, error } = spawnSync(command, args, { cwd: ROOT, env: environment(), stdio: ['ignore', 'inherit', 'inherit'] });
  console.log(`--- ${what}: ${((performance.now() - startedAt) / 1000).toFixed(0)} s`);
  if (status !== 0) throw error ?? new Error(`${what}: ${command} ended with ${status}`);
}

function environment() {
  return { ...process.env, CLIENTS_PYTHON: interpreter, PATH: `${join(ROOT, 'node_modules', '.bin')}:${process.env.PATH}` };
}

const cache = join(ROOT, 'node_modules', '.cache');
const hash = createHash('sha256').update(readFileSync(REQUIREMENTS)).update(about.version).digest('hex').slice(0, 16);
const folder = join(cache, `clients-${hash}`);
const complete = join(folder, 'complete');
const interpreter = join(folder, 'bin', 'python');

if (!existsSync(complete)) {
  mkdirSync(cache, { recursive: true });
  // what was half made, and what other requirements asked for
  for (const name of readdirSync(cache)) if (name.startsWith('clients-')) rmSync(join(cache, name), { recursive: true });
  run('venv', python, '-m', 'venv', folder);
  const quiet = ['--quiet', '--no-input', '--disable-pip-version-check'];
  run('packages', interpreter, '-m', 'pip', 'install', ...quiet, '--no-deps', '--no-compile', '--requirement', REQUIREMENTS);
  writeFileSync(complete, '');
}
run('build', 'npm', 'run', '--silent', 'build');
run('clients', 'jest', '--testRegex', 'test/clients/.*\\.clients-spec\\.ts$', ...process.argv.slice(2));
