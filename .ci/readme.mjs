// Runs every command of the README, word for word, in a clean clone: the block that starts the server stays up while the others run.
// usage: node .ci/readme.mjs CLONE
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const INSTALL_MINUTES = 5;
const READY_SECONDS = 60;
const clone = process.argv[2];
// as on a machine that has never seen this project: its own Node, not the one that this script runs under
const env = {
  ...process.env,
  PATH: process.env.PATH.split(':')
    .filter((folder) => !folder.includes('node_modules'))
    .join(':'),
};

const blocks = [...readFileSync(join(clone, 'README.md'), 'utf8').matchAll(/^```sh\n(.*?)^```/gms)].map(([, text]) => text.trim());
const starts = blocks.find((text) => text.includes('npm start'));
const tests = blocks.find((text) => text.includes('npm test'));
// what wants containers is run by `npm run test:container`
const others = blocks.filter((text) => text !== starts && text !== tests && !text.includes('docker '));

/** Runs a block to its end. */
function run(text) {
  console.log(`\n$ ${text}`);
  const { status } = spawnSync('bash', ['-euo', 'pipefail', '-c', text], { cwd: clone, env, stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) throw new Error(`ended with ${status}: ${text}`);
}

console.log(`system Node: ${spawnSync('node', ['--version'], { env, encoding: 'utf8' }).stdout.trim()}`);
console.log(`$ ${starts}`);
let said = '';
const server = spawn('bash', ['-c', starts], { cwd: clone, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
for (const stream of [server.stdout, server.stderr]) stream.on('data', (text) => (said += text));
const ended = once(server, 'exit');
try {
  const patience = Date.now() + INSTALL_MINUTES * 60_000;
  while (!said.includes('analytics-api listens on')) {
    if (server.exitCode !== null || Date.now() > patience) throw new Error(`the server did not start:\n${said}`);
    await sleep(100);
  }
  const ready = Date.now() + READY_SECONDS * 1000;
  let curl;
  while ((curl = /^curl .*$/m.exec(said)?.[0]) === undefined) {
    if (Date.now() > ready) throw new Error(`no curl was printed:\n${said}`);
    await sleep(100);
  }
  run(`${curl} | grep '"prediction"'`);
  for (const block of others) run(block);
} finally {
  process.kill(-server.pid, 'SIGINT');
  await ended;
}
run(tests);
