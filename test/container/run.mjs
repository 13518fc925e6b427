// Builds the image, runs it, and holds it to what issue and documents say: with docker where there is an engine behind it, or with podman in
// container-lab. usage: npm run test:container; LONG=1 npm run test:container for the development container and the image with tfjs-node as well
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findEngine } from './find-engine.mjs';

const ROOT = join(import.meta.dirname, '..', '..');
const IMAGE = 'analytics-api-under-test'; // compose builds an `analytics-api` of its own
const NETWORK = 'trading-network';
const PROJECT = 'analytics-api-test';

const LOADS_NODE = `const { INSTALLED_ENGINES } = require('./dist/runtime/installed-engines.js');
const { hasNode } = require('./dist/runtime/tfjs/tfjs-engine.js');
console.log(INSTALLED_ENGINES);
process.exitCode = INSTALLED_ENGINES['tfjs-node'] !== null && hasNode() ? 0 : 1;`;

const engine = findEngine();
if (engine.name === undefined) {
  console.log(`test:container skipped: ${engine.why}`);
  process.exit();
}

const scratch = mkdtempSync(join(tmpdir(), 'analytics-api-container-'));
const project = join(scratch, 'project');
const folder = join(scratch, 'bin');
const env = { ...process.env, ...engine.env, CONTAINER_ENGINE: engine.name, E2E_IMAGE: IMAGE, COMPOSE_PROJECT_NAME: PROJECT };
env.PATH = `${folder}:${join(ROOT, 'node_modules', '.bin')}:${process.env.PATH}`;

/** Whether the network was made here, and goes with the tests. */
let ours = false;

/** Runs a command to its end. @throws where it fails */
function run(what, command, ...args) {
  const startedAt = performance.now();
  const { status, error } = spawnSync(command, args, { cwd: ROOT, env, stdio: ['ignore', 'inherit', 'inherit'] });
  console.log(`--- ${what}: ${((performance.now() - startedAt) / 1000).toFixed(0)} s\n`);
  if (status !== 0) throw error ?? new Error(`${what}: ${command} ended with ${status}`);
}

/** What is there now, committed or not, and nothing that git does not look at: as a clone that has it all. */
function copyProject() {
  execFileSync('bash', [
    '-euo',
    'pipefail',
    '-c',
    'mkdir -p "$2" "$3" && cd "$1" && git ls-files -z --cached --others --exclude-standard | tar -c --null --files-from=- | tar -x -C "$2"',
    'copy',
    ROOT,
    project,
    folder,
  ]);
}

try {
  copyProject();
  if (engine.name === 'podman') symlinkSync(join(ROOT, 'test', 'container', 'docker-by-podman'), join(folder, 'docker'));
  console.log(`engine: ${engine.about}`);
  const compose = spawnSync('docker', ['compose', 'version'], { env, encoding: 'utf8' });
  if (compose.status === 0) env.COMPOSE_PROJECT_DIR = project;
  console.log(`compose: ${compose.status === 0 ? compose.stdout.trim().split('\n')[0] : 'none here, its tests are left out'}\n`);
  const revision = execFileSync('git', ['rev-parse', 'HEAD'], { cwd: ROOT, encoding: 'utf8' }).trim();
  if (engine.name === 'docker') run('base', 'docker', 'pull', '--quiet', 'node:24-bookworm-slim'); // BuildKit does not keep it where it can be measured
  run('build', 'docker', 'build', '--build-arg', `REVISION=${revision}`, '--tag', IMAGE, project);
  ours = spawnSync('docker', ['network', 'inspect', NETWORK], { env }).status !== 0;
  const command = /^docker network .*$/m.exec(readFileSync(join(project, 'README.md'), 'utf8'))[0];
  run('network', 'bash', '-euc', command);
  // who waits for whom is the same in a box, and takes long to show
  const elsewhere = 'test/e2e/(scheduling|overload)';
  const suites = ['--testRegex', 'test/(e2e|container)/.*spec\\.ts$', '--testPathIgnorePatterns', '/node_modules/', elsewhere];
  run('e2e suite, compose, container', 'jest', ...suites);
  run('figures', 'node', 'bench/container.mjs');
  if (process.env.LONG === '1') {
    run('build with tfjs-node', 'docker', 'build', '--build-arg', 'TFJS_NODE=on', '--tag', `${IMAGE}-tfjs-node`, project);
    run('tfjs-node is told of, and loads', 'docker', 'run', '--rm', '--entrypoint=node', `${IMAGE}-tfjs-node`, '-e', LOADS_NODE);
    if (engine.name === 'podman') run('its base', engine.lab, 'up', join(project, '.devcontainer'));
    run('development container', 'docker', 'build', '--tag', `${IMAGE}-dev`, join(project, '.devcontainer'));
    const there = [
      '--volume',
      `${project}:/workspace`,
      '--workdir',
      '/workspace',
      ...(engine.name === 'podman' ? ['--network', 'host'] : []),
    ];
    run('its rights', 'chown', '--recursive', '1000:1000', project);
    const commands =
      'npm ci --loglevel=error && npm run --silent types && npm run --silent build && npx jest src/config src/runtime/hosts && strace -V';
    run('work in it', 'docker', 'run', '--rm', ...there, `${IMAGE}-dev`, 'bash', '-euc', commands);
  }
} finally {
  // what a test that failed left
  const left = spawnSync('docker', ['ps', '--all', '--quiet', '--filter', 'name=analytics-api-test-'], { env, encoding: 'utf8' }).stdout;
  for (const id of left.split('\n').filter(Boolean)) spawnSync('docker', ['rm', '--force', '--volumes', id], { env });
  if (ours) spawnSync('docker', ['network', 'rm', NETWORK], { env });
  rmSync(scratch, { recursive: true, force: true });
}
