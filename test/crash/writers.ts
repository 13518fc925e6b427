import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../process/processes';
import { checkHistory, type Operation, parseHistory } from './linearizability';
import { type Ack, checkRegistry } from './registry-check';
import { type Look, WritersLog } from './writers-log';

/** How many processes change one registry, for how long, and what is done to them. */
export interface WritersPlan {
  /** An empty folder. */
  readonly folder: string;
  readonly seed: number;
  readonly ms: number;
  readonly processes?: number;
  /** A promise of the storage that is taken away: see `mutants.cjs`. */
  readonly mutant?: string;
  /** Variables of the environment, for one process after the other and then from the first on again. */
  readonly environments?: readonly NodeJS.ProcessEnv[];
  /** Part of the signals that kill; the others stop for a while. Default 0.3. */
  readonly kills?: number;
}

/** What came of it. */
export interface WritersReport {
  /** Sentences: what was promised and not kept. */
  readonly violations: readonly string[];
  readonly operations: number;
  readonly events: number;
  readonly kills: number;
  readonly stops: number;
  /** Milliseconds from the moment when nobody changed anything any more until every process knew the same registry. */
  readonly agreedMs: number;
}

const WRITER = join(__dirname, 'writer.cjs');
const OPEN_MS = 30_000;
const QUIET_MS = 20_000;
const MAX_STOP_MS = 1000;

/** Lets processes change one registry while it kills and stops them at random, then asks whether everything that they were told is so. */
export async function runWriters(plan: WritersPlan): Promise<WritersReport> {
  const { folder, seed, ms, processes = 8, environments = [{}], kills = 0.3 } = plan;
  mkdirSync(folder, { recursive: true });
  const writers = Array.from({ length: processes }, (_, at) => new Writer(plan, `w${at}`, environments[at % environments.length]!));
  try {
    const chance = random(seed);
    const figures = { kills: 0, stops: 0 };
    await Promise.all(writers.map((writer) => writer.open()));
    const end = performance.now() + ms;
    while (performance.now() < end) {
      await sleep(chance() * 400);
      const writer = writers[Math.floor(chance() * writers.length)]!;
      if (writer.stopped) continue;
      if (chance() < kills) {
        await writer.kill();
        figures.kills++;
        writer.start();
      } else {
        writer.stop(Math.min(chance() * MAX_STOP_MS, end - performance.now()));
        figures.stops++;
      }
    }
    return await judge(folder, writers, figures);
  } finally {
    await Promise.all(writers.map((writer) => writer.kill()));
  }
}

async function judge(folder: string, writers: readonly Writer[], figures: { kills: number; stops: number }): Promise<WritersReport> {
  await Promise.all(writers.map((writer) => writer.ask('quiet', () => writer.quiet)));
  const quietAt = performance.now();
  await Promise.all(writers.map((writer) => writer.ask('fold', () => writer.fold !== undefined)));
  const agreedMs = performance.now() - quietAt;
  const folds = writers.flatMap(({ fold }) => (fold === undefined ? [] : [fold]));
  await Promise.all(writers.map((writer) => writer.kill()));

  const operations = writers.flatMap((writer) => writer.operations());
  const log = await WritersLog.of(join(folder, 'root'));
  const violations = [
    ...writers.flatMap(({ complaints }) => complaints),
    ...checkHistory(log, operations, folds),
    ...(await checkRegistry(join(folder, 'root'), ...acksOf(operations))),
  ];
  return { violations, operations: operations.length, events: log.events.length, ...figures, agreedMs };
}

/** What was acknowledged, a stream a lane, for the check that the other harnesses use. */
function acksOf(operations: readonly Operation[]): readonly (readonly Ack[])[] {
  const lanes = Map.groupBy(operations, ({ id }) => id.split('-')[0]);
  return [...lanes.values()].map((lane) =>
    lane.flatMap(({ kind, args, result }): readonly Ack[] => {
      if (result === undefined) return [];
      if (kind === 'move') return args['stage'] === 'production' ? [{ ...args, ack: 'promote' }] : [];
      return ['publish', 'collect', 'orphan'].includes(kind) ? [{ ...result, ack: kind }] : []; // the other changes are judged by the history
    }),
  );
}

/** One of the processes: killed and started again it is another, with a history of its own. */
class Writer {
  /** What it should not have done. */
  readonly complaints: string[] = [];
  stopped = false;
  private child!: ChildProcess;
  private closed!: Promise<unknown>;
  private said = '';
  private readonly lives: { readonly history: string; endedAt: bigint }[] = [];
  private waking: Promise<void> = Promise.resolve();

  constructor(
    private readonly plan: WritersPlan,
    private readonly name: string,
    private readonly environment: NodeJS.ProcessEnv,
  ) {
    this.start();
  }

  start(): void {
    const { folder, seed, mutant } = this.plan;
    const name = `${this.name}.${this.lives.length}`;
    const history = join(folder, `${name}.history`);
    const args = [WRITER, join(folder, 'root'), history, name, String(seed), ...(mutant === undefined ? [] : ['--mutant', mutant])];
    const child = spawn(process.execPath, args, { env: { ...process.env, ...this.environment } });
    this.child = child;
    this.said = '';
    let wrong = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (this.said += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (wrong += text));
    child.stdin.on('error', () => {}); // it is gone: told below
    const life = { history, endedAt: 0n };
    this.lives.push(life);
    this.closed = once(child, 'close').then(([code, signal]: unknown[]) => {
      life.endedAt = process.hrtime.bigint();
      if (signal !== 'SIGKILL') this.complaints.push(`${name} ended by itself with ${String(code ?? signal)}: ${wrong}`);
      return undefined;
    });
  }

  /** Ends it at once. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.closed;
    await this.waking;
  }

  /** Holds it wherever it is, for a time. */
  stop(ms: number): void {
    const { child } = this;
    this.stopped = true;
    child.kill('SIGSTOP');
    this.waking = sleep(Math.max(0, ms)).then(() => {
      this.stopped = false;
      child.kill('SIGCONT');
      return undefined;
    });
  }

  /** Waits until it has read the registry. */
  async open(): Promise<void> {
    await this.waking;
    await this.await('is open', () => this.said.startsWith('open\n'), OPEN_MS);
  }

  /** Tells it to do something, and waits until it is done. */
  async ask(command: string, done: () => boolean): Promise<void> {
    await this.open();
    this.child.stdin?.write(`${command}\n`);
    await this.await(`has done "${command}"`, done, QUIET_MS);
  }

  get quiet(): boolean {
    return this.said.includes('\nquiet\n');
  }

  /** What it says that the registry is; `undefined` where it has not said so. */
  get fold(): Look | undefined {
    const line = /^\{.*\}$/m.exec(this.said)?.[0];
    return line === undefined ? undefined : (JSON.parse(line) as Look);
  }

  /** Everything that it was told in all its lives. */
  operations(): readonly Operation[] {
    return this.lives.flatMap(({ history, endedAt }) => parseHistory(historyOf(history), endedAt));
  }

  private async await(what: string, done: () => boolean, ms: number): Promise<void> {
    const ended = (): boolean => this.child.exitCode !== null || this.child.signalCode !== null; // told elsewhere
    try {
      await until(`${this.name} ${what}`, () => done() || ended(), ms);
    } catch (error) {
      this.complaints.push(String(error));
    }
  }
}

/** One that was killed before it began has none. */
function historyOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

/** A generator of numbers in [0, 1): the same seed, the same numbers (mulberry32). */
function random(seed: number): () => number {
  let at = seed;
  return () => {
    at = (at + 0x6d2b79f5) | 0;
    let mixed = Math.imul(at ^ (at >>> 15), 1 | at);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
