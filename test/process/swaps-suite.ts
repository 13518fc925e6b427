import { setTimeout as sleep } from 'node:timers/promises';
import { linear } from '../onnx/models';
import { OpenLoop, type Reply } from './open-loop';
import { hostsOf, until } from './processes';
import { randomFrom } from './registry-operations';
import type { Answer, ServerProcess } from './server-process';

const PER_SECOND = 500;
const MODEL = '/api/v1/models/line';

interface Swap {
  readonly version: number;
  readonly startedAt: number;
  readonly endedAt: number;
}

/** Versions of one model, each of which multiplies by another number; and what each answer must be. */
export class Line {
  /** By version; a version that was deleted keeps its place. */
  private readonly digests = new Map<number, string>();

  constructor(private readonly server: ServerProcess) {}

  get versions(): readonly number[] {
    return [...this.digests.keys()];
  }

  /** A version multiplies by its own number. @returns false where its import was killed */
  async upload(version: number): Promise<boolean> {
    const form = new FormData();
    form.set('name', 'line');
    form.set('version', String(version));
    form.set('file', new Blob([Uint8Array.from(linear([[version]]))]), 'model.onnx');
    const { status, body } = await this.server.ask('POST', '/api/v1/models', form);
    if (status === 422 && /SIGKILL/.test(body.detail)) return false;
    if (status !== 201) throw new Error(`version ${version} was not taken: ${JSON.stringify(body)}`);
    this.digests.set(version, body.executable);
    return true;
  }

  promote(version: number): Promise<Answer> {
    return this.server.ask('POST', `${MODEL}/versions/${version}/promote`, { stage: 'production' });
  }

  rollback(): Promise<Answer> {
    return this.server.ask('POST', `${MODEL}/rollback`, {});
  }

  remove(version: number): Promise<Answer> {
    return this.server.ask('DELETE', `${MODEL}/versions/${version}`);
  }

  undelete(version: number): Promise<Answer> {
    return this.server.ask('POST', `${MODEL}/versions/${version}/undelete`);
  }

  /** Answers that are not those of the executable, and the version, that they name. */
  wrong(replies: readonly Reply[]): readonly Reply[] {
    return replies.filter(
      ({ status, version, digest, x, prediction }) =>
        status === 200 && !(prediction === x * version && digest === this.digests.get(version)),
    );
  }
}

/** What came of swaps under load. */
export interface Swapped {
  /** Before the swaps. */
  readonly calm: readonly Reply[];
  readonly swaps: readonly Swap[];
  readonly replies: readonly Reply[];
  readonly failures: readonly Error[];
  readonly wrong: readonly Reply[];
  /** Answers of a version that was not in production at any moment between question and answer. */
  readonly stale: readonly Reply[];
  /** More memory for models than before, bytes. */
  readonly leftBytes: number;
}

/** Promotes and rolls back, evenly, while predictions come at 500 a second until there are `answers` of them. */
export async function swapUnderLoad(server: ServerProcess, count: number, answers: number): Promise<Swapped> {
  const line = new Line(server);
  for (const version of [1, 2, 3, 4, 5]) await line.upload(version);
  let present = 1;
  await line.promote(present);
  const memory = await usedBytes(server);
  const calm = new OpenLoop(server.origin, PER_SECOND, () => '/api/v1/predict/line');
  await sleep(2000);
  await calm.stop();
  const startedAt = performance.now();
  const load = new OpenLoop(server.origin, PER_SECOND, () => '/api/v1/predict/line');
  const random = randomFrom(count);
  const swaps: Swap[] = [{ version: present, startedAt, endedAt: startedAt }];
  const everyMs = (answers / PER_SECOND / count) * 1000;
  while (swaps.length <= count) {
    await sleep(Math.max(0, startedAt + swaps.length * everyMs - performance.now()));
    const from = performance.now();
    // every fourth goes back, of which there is one less on the stack then
    const back = swaps.length % 4 === 0;
    const answer = back ? await line.rollback() : await line.promote(((present + Math.floor(random() * 4)) % 5) + 1);
    if (answer.status !== 200) throw new Error(`swap ${swaps.length}: ${JSON.stringify(answer.body)}`);
    present = answer.body.version;
    swaps.push({ version: present, startedAt: from, endedAt: performance.now() });
  }
  await until('all have been asked', () => load.replies.length + load.failures.length >= answers, answers * 20);
  await load.stop();
  const { replies, failures } = load;
  await line.promote(1); // what it takes is known
  const leftBytes = (await usedBytes(server)) - memory;
  return { calm: calm.replies, swaps, replies, failures, wrong: line.wrong(replies), stale: staleIn(replies, swaps), leftBytes };
}

/** What was done while engine hosts were killed, and what was answered. */
export interface Stormed {
  readonly replies: readonly Reply[];
  readonly failures: readonly Error[];
  readonly wrong: readonly Reply[];
  readonly kills: number;
  readonly changes: Readonly<Record<string, number>>;
}

/** Swaps, uploads, deletes, undeletes and kills, all at once, until there are so many answers. */
export async function storm(server: ServerProcess, answers: number, seed: number): Promise<Stormed> {
  const line = new Line(server);
  for (const version of [1, 2, 3]) await line.upload(version);
  await line.promote(1);
  const random = randomFrom(seed);
  const some = (): number => line.versions[Math.floor(random() * line.versions.length)] as number;
  // most callers want what is in production, some a version of their own
  const load = new OpenLoop(server.origin, PER_SECOND, (n) => `/api/v1/predict/line${n % 5 === 0 ? `?version=${some()}` : ''}`);
  const changes: Record<string, number> = {};
  let [kills, next, going] = [0, 4, true];
  const repeat = async (everyMs: number, work: () => Promise<unknown>) => {
    while (going) {
      await sleep(everyMs * (0.5 + random()));
      await work();
    }
  };
  const count = (what: string, { status }: Answer) => (changes[`${what} ${status}`] = (changes[`${what} ${status}`] ?? 0) + 1);
  const doings = [
    repeat(60, async () => count('promote', await line.promote(some()))),
    repeat(200, async () => count('rollback', await line.rollback())),
    repeat(100, async () => count('delete', await line.remove(some()))),
    repeat(100, async () => count('undelete', await line.undelete(some()))),
    repeat(1000, async () => void (next <= 40 && (await line.upload(next)) && next++)),
    repeat(700, async () => {
      const hosts = hostsOf(server.pid);
      const host = hosts[Math.floor(random() * hosts.length)];
      if (host === undefined) return;
      kills++;
      try {
        process.kill(host, 'SIGKILL');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // it ended by itself
      }
    }),
  ];
  try {
    await Promise.race([until('there are as many answers', () => load.replies.length >= answers, answers * 20), Promise.all(doings)]);
  } finally {
    going = false;
    await Promise.allSettled(doings);
    await load.stop();
  }
  return { replies: load.replies, failures: load.failures, wrong: line.wrong(load.replies), kills, changes };
}

/** How many there are of each. */
export function counted(values: readonly unknown[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[String(value)] = (counts[String(value)] ?? 0) + 1;
  return counts;
}

export function percentile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN;
}

function staleIn(replies: readonly Reply[], swaps: readonly Swap[]): readonly Reply[] {
  let first = 0;
  return replies
    .toSorted((a, b) => a.sentAt - b.sentAt)
    .filter(({ sentAt, endedAt, version }) => {
      // the last swap that was answered before the question, and all that came until the answer
      while (first + 1 < swaps.length && (swaps[first + 1] as Swap).endedAt < sentAt) first++;
      for (let at = first; at < swaps.length && (swaps[at] as Swap).startedAt < endedAt; at++) {
        if (swaps[at]?.version === version) return false;
      }
      return true;
    });
}

async function usedBytes(server: ServerProcess): Promise<number> {
  const { body } = await server.get('/health');
  const text = JSON.stringify(body);
  return Number(/"usedBytes":(\d+)/.exec(text)?.[1]);
}
