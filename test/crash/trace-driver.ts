import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type Ack, parseAcks, parseErrors, type StepError } from './registry-check';
import { type Call, parseTrace } from './trace-calls';

const DRIVER = join(__dirname, 'registry-driver.cjs');
const PATIENCE_MS = 60_000;

// strace takes the place of the shell and so stays an ancestor of the driver: that suffices where Yama lets nobody else trace.
// Not `strace node …`: system calls are counted for each thread, and the main thread opens and writes what is none of our business.
const ATTACH =
  'mkfifo "$TRACE_FIFO" && { "$@" & } && read -r worker < "$TRACE_FIFO" && exec strace --quiet=exit,personality -y -p "$worker" $TRACE_OPTIONS 2>"$TRACE_SAID"';

/** What a driver said, and how it ended. */
export interface DriverRun {
  readonly acks: readonly Ack[];
  readonly errors: readonly StepError[];
  /** The exit code; `undefined` where it was killed. */
  readonly ended: number | undefined;
}

/** A run under strace: the system calls of its file work, in their order. */
export interface TracedRun extends DriverRun {
  readonly calls: readonly Call[];
}

/** What is done to a run. */
export interface Meddling {
  readonly mutant?: string | undefined;
  /** As `-e inject=` of strace takes it. */
  readonly inject?: readonly string[] | undefined;
}

const traceable =
  spawnSync('sh', ['-c', 'sleep 0.1 & exec strace -qq -o /dev/null -p $!'], { stdio: 'ignore', timeout: PATIENCE_MS }).status === 0;

/** Describes a suite that needs strace; skips it aloud where there is none, but never in CI. */
export function describeTraced(title: string, suite: () => void): void {
  if (traceable || process.env.CI !== undefined) describe(title, suite);
  else describe.skip(`${title} (SKIPPED: no strace here, or it may not trace)`, suite);
}

/** Runs registry drivers in a scratch folder of its own, each to its end. */
export class Drivers {
  private readonly scratch = mkdtempSync(join(tmpdir(), 'analytics-api-crash-'));
  private runs = 0;

  /** @param driver what is run: the registry's, or that of the backups */
  constructor(private readonly driver = DRIVER) {}

  /** A path where no registry is yet, in a folder that is there. @param base a registry to begin with a copy of */
  freshRoot(base?: string): string {
    const root = join(mkdtempSync(join(this.scratch, 'registry-')), 'models');
    if (base !== undefined) cpSync(base, root, { recursive: true });
    return root;
  }

  remove(root = this.scratch): void {
    rmSync(root === this.scratch ? root : join(root, '..'), { recursive: true, force: true });
  }

  /** Runs a driver, untraced. */
  async run(root: string, steps: readonly string[], { mutant }: Meddling = {}): Promise<DriverRun> {
    const { stdout, code } = await this.finish([process.execPath, ...this.command(root, steps, mutant)]);
    return { acks: parseAcks(stdout), errors: parseErrors(stdout), ended: code };
  }

  /** Runs a driver whose file work strace watches, one system call after the other, so that the nth is the same in every run. */
  async trace(
    root: string,
    steps: readonly string[],
    syscalls: readonly string[],
    { mutant, inject = [] }: Meddling = {},
  ): Promise<TracedRun> {
    const id = join(this.scratch, `trace-${this.runs++}`);
    const options = ['-o', id, '-e', `trace=${syscalls.join(',')}`, ...inject.flatMap((injection) => ['-e', `inject=${injection}`])];
    const node = [process.execPath, join(__dirname, 'trace-start.cjs'), ...this.command(root, steps, mutant)];
    const env = { UV_THREADPOOL_SIZE: '1', TRACE_FIFO: `${id}.fifo`, TRACE_SAID: `${id}.said`, TRACE_OPTIONS: options.join(' ') };
    const { stdout, stderr } = await this.finish(['sh', '-c', ATTACH, 'sh', ...node], env);
    const trace = textOf(id);
    const ended = /^ended (\d+)$/m.exec(stderr)?.[1];
    if (ended === undefined && !trace.includes('killed by SIGKILL'))
      throw new Error(`neither ended nor killed: ${stderr}${textOf(`${id}.said`)}${trace.split('\n').slice(-4).join('\n')}`);
    for (const file of [id, `${id}.fifo`, `${id}.said`]) rmSync(file, { force: true });
    const said = { acks: parseAcks(stdout), errors: parseErrors(stdout) };
    return { ...said, ended: ended === undefined ? undefined : Number(ended), calls: parseTrace(trace) };
  }

  /** Runs a driver with all its threads under strace, as many at work as a server has. */
  async traceWhole(root: string, steps: readonly string[], syscalls: readonly string[], { mutant }: Meddling = {}): Promise<TracedRun> {
    const id = join(this.scratch, `trace-${this.runs++}`);
    const options = ['-f', '--seccomp-bpf', '-qq', '-y', '-s', '4096', '-o', id, '-e', `trace=${syscalls.join(',')}`];
    const { stdout, code } = await this.finish(['strace', ...options, process.execPath, ...this.command(root, steps, mutant)]);
    const trace = readFileSync(id, 'utf8');
    rmSync(id);
    return { acks: parseAcks(stdout), errors: parseErrors(stdout), ended: code, calls: parseTrace(trace) };
  }

  private command(root: string, steps: readonly string[], mutant: string | undefined): readonly string[] {
    return [this.driver, root, ...(mutant === undefined ? [] : ['--mutant', mutant]), ...steps];
  }

  /** Waits for a process and for all that it started: all of them hold its output open. @throws where that takes too long */
  private async finish([program, ...args]: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Finished> {
    const child = spawn(program as string, args, {
      env: { PATH: process.env.PATH, NODE_COMPILE_CACHE: join(this.scratch, 'compiled'), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // a process group, to end them together
    });
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      process.kill(-(child.pid as number), 'SIGKILL');
    }, PATIENCE_MS);
    try {
      const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
      if (late) throw new Error(`not ended after ${PATIENCE_MS} ms: ${args.join(' ')}\n${stdout}${stderr}`);
      return { stdout, stderr, code: (code as number | null) ?? undefined };
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Does `work` for every item, two at a time. @returns what it returned, in the order of the items */
export async function inPairs<Item, Result>(items: readonly Item[], work: (item: Item) => Promise<Result>): Promise<readonly Result[]> {
  const results: Result[] = [];
  const queue = items.entries();
  const lane = async (): Promise<void> => {
    for (const [at, item] of queue) results[at] = await work(item);
  };
  await Promise.all([lane(), lane()]);
  return results;
}

interface Finished {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number | undefined;
}

const textOf = (path: string): string => (existsSync(path) ? readFileSync(path, 'utf8') : '');
