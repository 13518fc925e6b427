// Starts a driver for trace-driver.ts as soon as strace watches the one thread that does the asynchronous file work
// (UV_THREADPOOL_SIZE=1), and says how the process ended. The main thread reads modules and writes acknowledgements, untraced.
//
// usage: node trace-start.cjs DRIVER ARGUMENT...
const { access, readdirSync, readFileSync, writeFileSync, writeSync } = require('node:fs');

const PATIENCE_MS = 20_000;
const begun = performance.now();

/** @returns the first answer of `ask` that is not undefined */
function until(ask) {
  for (;;) {
    const answer = ask();
    if (answer !== undefined) return answer;
    if (performance.now() - begun > PATIENCE_MS) throw new Error('nobody traces this process');
    pause();
  }
}

function pause() {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
}

access('/', () => {
  // that work has started the thread, and its end has been taken note of: from here on the thread does the same in every run
  const tasks = '/proc/self/task';
  const worker = until(() => readdirSync(tasks).find((task) => readFileSync(`${tasks}/${task}/comm`, 'utf8').startsWith('libuv-worker')));
  writeFileSync(process.env.TRACE_FIFO, `${worker}\n`);
  until(() => (/^TracerPid:\t0$/m.test(readFileSync(`${tasks}/${worker}/status`, 'utf8')) ? undefined : true));
  pause();
  process.once('exit', (code) => writeSync(2, `ended ${code}\n`));
  process.argv.splice(1, 1);
  require(process.argv[1]);
});
