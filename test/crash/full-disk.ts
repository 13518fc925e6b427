import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Chance } from './power-cut-random';
import { formatExt4, type Volumes } from './power-cut-volumes';
import { type Ack, parseAcks, parseErrors, type StepError } from './registry-check';
import { REGISTRY } from './subject';

const DRIVER_MS = 60_000;
const MIB = 2 ** 20;
/** Of a block of `blocks`. */
export const BLOCK_BYTES = 8000;

/** What a volume runs out of: bytes, names, or bytes on a file system that promises space before it has found any. */
export type Scarce = 'bytes' | 'names' | 'blocks';

/** What a pass to the last byte showed. */
export interface Pass {
  readonly scarce: Scarce;
  readonly megabytes: number;
  readonly acks: number;
  readonly failed: number;
  /** The codes of the steps that failed, each once. */
  readonly codes: readonly string[];
  /** The promises that were broken while the volume was full, and after there was space again. */
  readonly violations: readonly string[];
  /** How many of the steps that had failed were tried again, and which of them failed again. */
  readonly triedAgain: number;
  readonly failedAgain: readonly StepError[];
  /** What was left in the staging area. */
  readonly staged: readonly string[];
}

/** What a driver said. */
interface Run {
  readonly acks: readonly Ack[];
  readonly errors: readonly StepError[];
}

/** Fills a small volume through a registry driver until nothing more fits, makes space, and has the steps done that had failed. */
export async function fillOnce(
  volumes: Volumes,
  chance: Chance,
  scarce: Scarce,
  { megabytes = chance.whole(8, 64), mutant }: { readonly megabytes?: number; readonly mutant?: string } = {},
): Promise<Pass> {
  const volume = await mountSmall(volumes, scarce, megabytes);
  const root = join(volume, 'registry');
  const makeSpace = takeSpace(volume, scarce, chance);
  const free = freeOf(volume);

  const full = await drive(REGISTRY.driver, root, stepsBeyond(chance, scarce, free), mutant);
  const violations = [...(await REGISTRY.check(root, full.acks))];
  const staged = [...stagedIn(root)];
  makeSpace();
  const fitting = whatFits(full.errors, volume);
  const again = await drive(REGISTRY.driver, root, fitting);
  violations.push(...(await REGISTRY.check(root, full.acks, again.acks)));
  staged.push(...stagedIn(root));
  await volumes.unmount(volume);

  return {
    scarce,
    megabytes,
    acks: full.acks.length,
    failed: full.errors.length,
    codes: [...new Set(full.errors.map(({ error }) => error))],
    violations,
    triedAgain: fitting.length,
    failedAgain: again.errors,
    staged,
  };
}

/** Begins a registry on a volume that has no space at all, and once more when it has. */
export async function beginOnNothing(volumes: Volumes): Promise<readonly Run[]> {
  const volume = await volumes.tmpfs('size=1m');
  const root = join(volume, 'registry');
  mkdirSync(root);
  const ballast = join(volume, 'ballast');
  writeFileSync(ballast, Buffer.alloc(freeOf(volume)));
  const runs = [await drive(REGISTRY.driver, root, ['publish:iris:bytes'])];
  rmSync(ballast);
  runs.push(await drive(REGISTRY.driver, root, ['publish:iris:bytes']));
  return runs;
}

const WATCH = `
  const { statfsSync } = require('node:fs');
  const { parentPort, workerData } = require('node:worker_threads');
  let least = Number.POSITIVE_INFINITY;
  const timer = setInterval(() => {
    const { bavail, bsize } = statfsSync(workerData);
    least = Math.min(least, bavail * bsize);
  }, 1);
  parentPort.once('message', () => {
    clearInterval(timer);
    parentPort.postMessage(least);
  });
`;

/** Looks every millisecond how much is free, in a thread that has nothing else to do. Whoever begins it ends it. */
export class FreeSpaceWatch {
  private readonly worker: Worker;

  constructor(path: string) {
    this.worker = new Worker(WATCH, { eval: true, workerData: path });
  }

  /** @returns the least that was free, in bytes */
  async end(): Promise<number> {
    this.worker.postMessage('end');
    const [least] = (await once(this.worker, 'message')) as [number];
    return least;
  }
}

/** Bytes that anybody may still write. */
function freeOf(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}

async function mountSmall(volumes: Volumes, scarce: Scarce, megabytes: number): Promise<string> {
  if (scarce === 'bytes') return volumes.tmpfs(`size=${megabytes}m`);
  if (scarce === 'names') return volumes.tmpfs(`size=${megabytes}m`, `nr_inodes=${megabytes * 4}`);
  const image = join(await volumes.tmpfs(`size=${megabytes + 1}m`), 'image');
  await formatExt4(image, megabytes, true);
  return volumes.ext4(image);
}

/** Takes some of what is scarce. @returns gives it back */
export function takeSpace(volume: string, scarce: Scarce, chance: Chance): () => void {
  const ballast = join(volume, 'ballast');
  mkdirSync(ballast);
  const { ffree } = statfsSync(volume);
  const files = scarce === 'names' ? Math.floor((ffree * chance.whole(30, 60)) / 100) : 1;
  const bytes = scarce === 'names' ? 0 : Math.floor((freeOf(volume) * chance.whole(30, 60)) / 100);
  for (let file = 0; file < files; file++) writeFileSync(join(ballast, String(file)), Buffer.alloc(bytes));
  return () => rmSync(ballast, { recursive: true });
}

/** More than fits: first much at a time, then ever less, so that in the end there is not even space for an event. */
function stepsBeyond(chance: Chance, scarce: Scarce, free: number): readonly string[] {
  const small = (n: number) => `publish:${chance.oneOf(['iris', 'wine'])}:${n}-${'s'.repeat(chance.size(1, 4000))}`;
  const large = (n: number) =>
    `publish:${chance.oneOf(['iris', 'wine'])}:${blocks(n, chance.whole(1, Math.floor(free / 6 / BLOCK_BYTES)))}`;
  const others = (n: number) => chance.oneOf(['checkpoint', 'collect', 'promote:iris:1', small(n)]);
  const many = scarce === 'names' ? [] : Array.from({ length: 40 }, (_, n) => large(n));
  const few = Array.from({ length: 30 }, (_, n) => others(n + 40));
  const least = Array.from({ length: 40 }, (_, n) => `publish:least:${n}`);
  const names = scarce === 'names' ? Array.from({ length: 100 }, (_, n) => small(n + 200)) : [];
  return ['publish:iris:first', ...many, ...names, ...few, ...least];
}

/** A text that the driver makes long. */
export function blocks(n: number, count: number): string {
  return `${String(n).padStart(BLOCK_BYTES / 1000, '-')}x${count * 1000}`;
}

/** Some of the failed steps, in their order, for which there is space and more than that. */
function whatFits(errors: readonly StepError[], volume: string): readonly string[] {
  let left = freeOf(volume) / 2;
  const names = statfsSync(volume).ffree;
  const fitting = errors.filter(({ step }) => {
    const needed = sizeOf(step) + 4 * BLOCK_BYTES;
    if (needed > left) return false;
    left -= needed;
    return true;
  });
  // a version is three names at most: of its blob, of the folder of that, of its event; and one is staged
  return fitting.slice(0, Math.min(20, Math.floor(names / 6))).map(({ step }) => step);
}

function sizeOf(step: string): number {
  const [, count] = /x(\d+)$/.exec(step) ?? [];
  return count === undefined ? step.length : (Number(count) * BLOCK_BYTES) / 1000;
}

/** Runs a driver to its end. */
export function drive(driver: string, root: string, steps: readonly string[], mutant?: string): Promise<Run> {
  const fault = mutant === undefined ? [] : ['--mutant', mutant];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [driver, root, ...fault, ...steps], { timeout: DRIVER_MS, maxBuffer: 16 * MIB }, (error, stdout) => {
      // it says itself that it could not open the registry, and ends with 1
      if (error !== null && error.code !== 1) reject(error);
      else resolve({ acks: parseAcks(stdout), errors: parseErrors(stdout) });
    });
  });
}

function stagedIn(root: string): readonly string[] {
  return readdirSync(join(root, '.staging'));
}
