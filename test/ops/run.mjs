// What watches the service, against the real programs: three alerts through Prometheus and Alertmanager, every query of a dashboard, the files
// for Kubernetes. usage: npm run test:ops [-- jest's arguments]; PYTHON names another interpreter
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');
const REQUIREMENTS = join(import.meta.dirname, 'requirements.txt');
const python = process.env.PYTHON ?? 'python3';
const cache = join(ROOT, 'node_modules', '.cache');

const missing = ['prometheus', 'promtool', 'prometheus-alertmanager', 'amtool', 'redis-server'].filter(
  (program) => spawnSync(program, ['--version']).error !== undefined,
);
if (spawnSync(python, ['-c', 'import ensurepip, venv'], { stdio: 'ignore' }).status !== 0) missing.push('python3-venv');
if (missing.length > 0) {
  console.log(
    `test:ops skipped: there is no ${missing.join(', no ')} (Debian: prometheus, prometheus-alertmanager, redis-server, python3-venv)`,
  );
  process.exit(process.env.CI === undefined ? 0 : 1);
}

/** Runs a command to its end. @throws where it fails */
function run(what, command, ...args) {
  const startedAt = performance.now();
  const env = {
    ...process.env,
    OPS_PYTHON: join(folder, 'bin', 'python'),
    PATH: `${join(ROOT, 'node_modules', '.bin')}:${process.env.PATH}`,
  };
  const { status, error } = spawnSync(command, args, { cwd: ROOT, env, stdio: ['ignore', 'inherit', 'inherit'] });
  console.log(`--- ${what}: ${((performance.now() - startedAt) / 1000).toFixed(0)} s`);
  if (status !== 0) throw error ?? new Error(`${what}: ${command} ended with ${status}`);
}

const version = spawnSync(python, ['--version'], { encoding: 'utf8' }).stdout;
const hash = createHash('sha256').update(readFileSync(REQUIREMENTS)).update(version).digest('hex').slice(0, 16);
const folder = join(cache, `ops-${hash}`);
const complete = join(folder, 'complete');
if (!existsSync(complete)) {
  mkdirSync(cache, { recursive: true });
  // what was half made, and what other requirements asked for
  for (const name of readdirSync(cache)) if (name.startsWith('ops-')) rmSync(join(cache, name), { recursive: true });
  run('venv', python, '-m', 'venv', folder);
  const quiet = ['--quiet', '--no-input', '--disable-pip-version-check'];
  run(
    'packages',
    join(folder, 'bin', 'python'),
    '-m',
    'pip',
    'install',
    ...quiet,
    '--no-deps',
    '--no-compile',
    '--requirement',
    REQUIREMENTS,
  );
  writeFileSync(complete, '');
}
run('build', 'npm', 'run', '--silent', 'build');
// each has servers, a Prometheus and times of its own
run('ops', 'jest', '--runInBand', '--testRegex', 'test/ops/.*\\.ops-spec\\.ts$', ...process.argv.slice(2));
