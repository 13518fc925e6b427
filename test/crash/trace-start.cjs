// Starts a driver for trace-driver.ts as soon as strace watches the one thread that does the asynchronous file work
// (UV_THREADPOOL_SIZE=1), and says how the process ended. The main thread reads modules and writes acknowledgements, untraced.
//
// The thread also writes to wake the main thread, and those writes count among its own. libuv aborts where one fails; and it leaves out
// every one that the main thread does not need, as it has not yet noticed the last. So nothing is asked for before what was asked for last
// is done: then there is a wake for each, and the nth write is the same in every run.
//
// usage: node trace-start.cjs DRIVER ARGUMENT...
const { access, existsSync, readdirSync, readFileSync, writeFileSync, writeSync } = require('node:fs');
const promises = require('node:fs/promises');
const { isAsyncFunction } = require('node:util/types');

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

/** Lets the asynchronous functions of a module run one after the other, in the order in which they are called. */
function oneAfterTheOther(module) {
  let last = Promise.resolve();
  for (const [name, original] of Object.entries(module).filter(([, member]) => isAsyncFunction(member))) {
    module[name] = (...args) => {
      const result = last.then(() => original(...args));
      last = result.catch(() => {}); // told to who asked
      return result;
    };
  }
}

access('/', () => {
  // that work has started the thread, and its end has been taken note of: from here on the thread does the same in every run
  const tasks = '/proc/self/task';
  const worker = until(() => readdirSync(tasks).find((task) => readFileSync(`${tasks}/${task}/comm`, 'utf8').startsWith('libuv-worker')));
  writeFileSync(process.env.TRACE_FIFO, `${worker}\n`);
  // the kernel names a tracer before the thread stops for it: until strace itself says so, it may miss what the thread does
  until(() => (existsSync(process.env.TRACE_SAID) && / attached$/m.test(readFileSync(process.env.TRACE_SAID, 'utf8')) ? true : undefined));
  oneAfterTheOther(promises);
  process.once('exit', (code) => writeSync(2, `ended ${code}\n`));
  process.argv.splice(1, 1);
  require(process.argv[1]);
});
