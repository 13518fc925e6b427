import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';

const PATIENCE_MS = 5000;

if (process.argv.includes('--help')) {
  console.log(`node scripts/dev.mjs          compile src/ at each change, and start dist/main.js anew after each compile without errors
POLL=1 node scripts/dev.mjs   the same where the file system reports no changes (WSL2 mounts, some network drives)
Ctrl-C ends both and waits up to ${PATIENCE_MS / 1000} s for the server; a second Ctrl-C does not wait`);
  process.exit();
}

const poll = process.env.POLL === '1' ? ['--watchFile', 'dynamicprioritypolling', '--watchDirectory', 'dynamicprioritypolling'] : [];
const pretty = process.stdout.isTTY ? ['--pretty'] : []; // tsc writes to a pipe here, and would drop its colours
const tscPath = createRequire(resolve('package.json')).resolve('typescript/bin/tsc');
const tscArgs = [tscPath, '-p', 'tsconfig.build.json', '--watch', '--preserveWatchOutput', ...pretty, ...poll];

let server; // until its exit
let killer; // a timer, from the moment the server is told to end until its exit
let ending = false;

function start() {
  // A process group of its own: a terminal sends Ctrl-C to its whole foreground group, and the server would get it twice.
  server = spawn(process.execPath, ['--enable-source-maps', 'dist/main.js'], { stdio: ['ignore', 'inherit', 'inherit'], detached: true });
  server.once('exit', (code, signal) => {
    const told = killer !== undefined;
    clearTimeout(killer);
    server = killer = undefined;
    if (ending) return;
    if (told) start();
    else console.log(`[dev] the server ended by itself (${signal ?? `code ${code}`}); waiting for the next change`);
  });
}

function stop() {
  if (killer) return;
  server.kill('SIGINT');
  killer = setTimeout(kill, PATIENCE_MS);
}

/** The whole group, so that a server that hangs leaves no child of its own behind. */
function kill() {
  process.kill(-server.pid, 'SIGKILL');
}

/** Node ends by itself when both have. */
function end(code) {
  if (ending && server) kill();
  ending = true;
  process.exitCode = code;
  tsc.kill();
  if (server) stop();
}

const tsc = spawn(process.execPath, tscArgs, { stdio: ['ignore', 'pipe', 'inherit'] });
tsc.once('exit', (code) => ending || end(code ?? 1));
createInterface({ input: tsc.stdout }).on('line', (line) => {
  console.log(line);
  if (ending || !line.includes('Found 0 errors. Watching')) return;
  if (server) stop();
  else start();
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => end(0));
