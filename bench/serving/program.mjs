// A server in a process of its own, and what the kernel says of it and of all that it starts.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, readFileSync, truncateSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const [READY_SECONDS, STOP_SECONDS, TICKS] = [90, 20, 100];
const running = new Set();

/** A process may end between its being listed and its being read. */
function readProcess(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return '';
    throw error;
  }
}

function treeOf(pid) {
  const tasks = `/proc/${pid}/task`;
  const children = readdirSync(tasks).flatMap((task) =>
    readProcess(join(tasks, task, 'children'))
      .trim()
      .split(' '),
  );
  return [pid, ...children.filter((child) => child !== '').flatMap((child) => treeOf(Number(child)))];
}

/** Seconds, with those of children that have ended and were waited for. */
function cpuOf(pid) {
  const fields = readProcess(`/proc/${pid}/stat`).split(') ')[1]?.split(' ') ?? [];
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS;
}

/** MB; of what processes share, each counts its part. */
function pssOf(pid) {
  const kibibytes = /^Pss:\s+(\d+) kB$/m.exec(readProcess(`/proc/${pid}/smaps_rollup`))?.[1];
  return (Number(kibibytes ?? 0) * 1024) / 1e6;
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

export class Program {
  /** @param command of a free port: what to run, with which arguments, environment and working folder @param log file for what it says */
  static async start({ command, log }) {
    const port = await freePort();
    const program = new Program();
    program.origin = `http://127.0.0.1:${port}`;
    program.log = log;
    const { file, args, env, cwd } = command(port);
    const output = openSync(log, 'a');
    program.child = spawn(file, args, { env: { PATH: process.env.PATH, ...env }, cwd, stdio: ['ignore', output, output] });
    program.child.once('error', (error) => (program.failure = error));
    closeSync(output);
    running.add(program);
    return program;
  }

  get ended() {
    return this.failure !== undefined || this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Waits until what is asked is answered 200. @throws with the last of what the program said where that does not come */
  async ready(ask) {
    const until = performance.now() + READY_SECONDS * 1000;
    let last = 'it answered nothing';
    while (!this.ended && performance.now() < until) {
      const response = await ask(this.origin).catch(() => undefined);
      if (response?.status === 200) return this;
      if (response !== undefined) last = `it answered ${response.status}: ${await response.text()}`;
      await sleep(50);
    }
    const why = this.failure?.message ?? (this.ended ? 'it ended' : last);
    const said = this.said.trim().split('\n').slice(-8).join('\n');
    await this.stop();
    throw new Error(`not ready: ${why}\n${said}`);
  }

  get tree() {
    return treeOf(this.child.pid);
  }

  /** Seconds of the process and all that it started. */
  get cpuSeconds() {
    return this.tree.reduce((sum, pid) => sum + cpuOf(pid), 0);
  }

  get pssMb() {
    return this.tree.reduce((sum, pid) => sum + pssOf(pid), 0);
  }

  get said() {
    return readFileSync(this.log, 'utf8');
  }

  /** Throws away what it has said, so that a long run does not fill the disk. It appends, so it goes on at the file's start. */
  forgetLog() {
    truncateSync(this.log);
  }

  async stop() {
    running.delete(this);
    if (this.ended) return;
    const pids = this.tree;
    this.child.kill('SIGTERM');
    await Promise.race([once(this.child, 'exit'), sleep(STOP_SECONDS * 1000, undefined, { ref: false })]);
    killAll(this.ended ? [] : pids);
  }
}

function killAll(pids) {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if (error.code !== 'ESRCH') throw error;
    }
  }
}

/** For an end in a hurry: nothing is asked of the servers any more. */
export function killPrograms() {
  killAll([...running].filter(({ ended }) => !ended).flatMap(({ tree }) => tree));
}

/** For an end in order. */
export async function stopPrograms() {
  await Promise.all([...running].map((program) => program.stop()));
}
