import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { formatExt4, Volumes, writesOf } from './power-cut-volumes';
import { type Ack, parseAcks, parseErrors, type StepError } from './registry-check';
import { REGISTRY, type Subject } from './subject';

const DISK_MEBIBYTES = 128;
const WAIT_MS = 60_000;
/** Nothing but a flush reaches the disk within the time of a test. */
const LAZY = 'commit=300';

/** What each driver acknowledged, in its order. */
type Streams = readonly (readonly Ack[])[];

/** A copy of a disk whose power was cut. */
export interface Image {
  readonly path: string;
  /** When the power was cut, in words. */
  readonly when: string;
  /** What had been said before. */
  readonly heard: Streams;
}

/** What a cut showed. */
export interface Cut {
  readonly when: string;
  /** How many lines had been said before. */
  readonly acks: number;
  /** The promises that were broken. */
  readonly violations: readonly string[];
}

/** What the writers are and where they write. */
export interface Ground {
  readonly mutant?: string;
  /**
   * What ext4 does with the bytes of files: `ordered` writes them before the names that need them, `writeback` when it likes. Both have
   * a journal, where one flush takes everything along that was done before it. `none` has no journal: it keeps what was flushed itself.
   */
  readonly journal?: 'ordered' | 'writeback' | 'none';
  /** Default: the registry. */
  readonly subject?: Subject;
}

/** A driver in a process of its own. What it says goes to a file, so that it is there from the moment in which it is said. */
class Driver {
  private readonly child: ChildProcess;
  private readonly said: string;

  constructor(root: string, folder: string, steps: readonly string[], { mutant, subject = REGISTRY }: Ground) {
    this.said = join(mkdtempSync(join(folder, 'driver-')), 'said');
    const output = openSync(this.said, 'w');
    const fault = mutant === undefined ? [] : ['--mutant', mutant];
    this.child = spawn(process.execPath, [subject.driver, root, ...fault, ...steps], { stdio: ['ignore', output, 'inherit'] });
    closeSync(output);
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  get acks(): readonly Ack[] {
    return parseAcks(readFileSync(this.said, 'utf8'));
  }

  get errors(): readonly StepError[] {
    return parseErrors(readFileSync(this.said, 'utf8'));
  }

  signal(signal: NodeJS.Signals): void {
    if (this.running) this.child.kill(signal);
  }

  /** Whether no thread of it runs or is inside a system call. */
  get stands(): boolean {
    try {
      const threads = readdirSync(`/proc/${this.child.pid}/task`);
      return threads.every((id) => /^State:\s+[TZX]/m.test(readFileSync(`/proc/${this.child.pid}/task/${id}/status`, 'utf8')));
    } catch (error) {
      if (['ENOENT', 'ESRCH'].includes(String((error as NodeJS.ErrnoException).code))) return !this.running;
      throw error;
    }
  }
}

/** Disks whose power can be cut, and the drivers on them, so that none outlives the test. */
export class Disks {
  readonly volumes = new Volumes();
  private readonly disks: Disk[] = [];
  private memory: Promise<string> | undefined;

  /** A volume in memory for images and for what drivers say: a flush takes no time there. */
  get folder(): Promise<string> {
    return (this.memory ??= this.volumes.tmpfs('size=2g'));
  }

  async format(ground: Ground): Promise<Disk> {
    const path = join(mkdtempSync(join(await this.folder, 'disk-')), 'image');
    await formatExt4(path, DISK_MEBIBYTES, ground.journal !== 'none');
    return this.mount({ path, when: 'never', heard: [] }, ground);
  }

  /** Switches the power on again: the journal of the file system is replayed, or the file system has to be mended before if it has none. */
  async mount(image: Image, ground: Ground = {}): Promise<Disk> {
    const { journal = 'ordered' } = ground;
    const options = journal === 'none' ? [] : [LAZY, `data=${journal}`];
    const disk = new Disk(this, image, await this.volumes.ext4(image.path, ...options), await this.folder, ground);
    this.disks.push(disk);
    return disk;
  }

  async remove(): Promise<void> {
    this.memory = undefined;
    await Promise.allSettled(this.disks.splice(0).map((disk) => disk.halt()));
    await this.volumes.remove();
  }
}

/**
 * An ext4 in a file. A cut of its power is a copy of that file, made while every driver stands still: what no flush has reached is in
 * the page cache above the file, and not in the copy. To stand still is no mercy: of a flush that was cut in the middle a
 * journal keeps nothing, so that cut is a cut before it. And a copy of a disk that changes meanwhile is no disk that ever was.
 * What this cannot show: a device that loses what it had promised to keep.
 */
export class Disk {
  private readonly drivers: Driver[] = [];
  private copies = 0;

  constructor(
    private readonly owner: Disks,
    private readonly image: Image,
    private readonly mountedAt: string,
    private readonly folder: string,
    private readonly ground: Ground,
  ) {}

  /** The folder of what is looked at. Whoever comes first makes it. */
  get root(): string {
    return join(this.mountedAt, 'registry');
  }

  start(steps: readonly string[]): void {
    this.drivers.push(new Driver(this.root, this.folder, steps, this.ground));
  }

  get running(): boolean {
    return this.drivers.some(({ running }) => running);
  }

  /** What was acknowledged here, and before on the disk of which this one is a copy. */
  get acks(): Streams {
    return [...this.image.heard, ...this.drivers.map(({ acks }) => acks)];
  }

  /** The steps that failed, but for what others did meanwhile. */
  get errors(): readonly StepError[] {
    const { harmless } = this.subject;
    return this.allErrors.filter(({ error }) => !harmless.includes(error));
  }

  /** Waits until that much was acknowledged here, or the drivers have ended. */
  async heard(acks: number): Promise<void> {
    await soon('acknowledgements', () => countOf(this.drivers.map((driver) => driver.acks)) >= acks || !this.running);
  }

  async ended(): Promise<void> {
    await soon('the end of the drivers', () => !this.running);
  }

  /** Cuts the power, in a copy: this disk goes on. */
  async cut(when: string): Promise<Image> {
    const path = `${this.image.path}-${++this.copies}`;
    for (const driver of this.drivers) driver.signal('SIGSTOP');
    try {
      await soon('the drivers stand still', () => this.drivers.every(({ running, stands }) => !running || stands));
      const heard = this.acks; // before the copy begins
      await this.copyTo(path);
      return { path, when, heard };
    } finally {
      for (const driver of this.drivers) driver.signal('SIGCONT');
    }
  }

  /** What was lost or broken here. */
  async look(): Promise<Cut> {
    return { when: this.image.when, acks: countOf(this.acks), violations: await this.subject.check(this.root, ...this.acks) };
  }

  /** Does the next steps of the subject, if it has any. @returns what came of them, in sentences */
  async goOn(): Promise<readonly string[]> {
    const { next } = this.subject;
    if (next.length === 0) return [];
    this.start(next);
    await this.ended();
    const failed = this.allErrors.map(({ error, step }) => `the next ${step} failed: ${error}`);
    return [...failed, ...(await this.look()).violations];
  }

  private get allErrors(): readonly StepError[] {
    return this.drivers.flatMap(({ errors }) => errors);
  }

  private get subject(): Subject {
    return this.ground.subject ?? REGISTRY;
  }

  /** Ends the drivers, if they run. */
  async halt(): Promise<void> {
    for (const driver of this.drivers) driver.signal('SIGKILL');
    await this.ended();
  }

  async remove(): Promise<void> {
    await this.halt();
    await this.owner.volumes.unmount(this.mountedAt);
    rmSync(this.image.path);
  }

  /** The kernel may write of its own accord: a copy during which the disk changed is made again. */
  private async copyTo(path: string): Promise<void> {
    await soon('a disk that does not change', async () => {
      const before = writesOf(this.mountedAt);
      await promisify(execFile)('cp', ['--sparse=auto', this.image.path, path], { timeout: WAIT_MS });
      return before.endsWith(' 0') && before === writesOf(this.mountedAt);
    });
  }
}

/** How many things the lists hold together. */
export function countOf(lists: readonly (readonly unknown[])[]): number {
  return lists.reduce((sum, list) => sum + list.length, 0);
}

/** Waits, with an eye that misses little. @throws after a while, with `what` in it */
async function soon(what: string, ask: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + WAIT_MS;
  while (!(await ask())) {
    if (performance.now() > deadline) throw new Error(`not within ${WAIT_MS} ms: ${what}`);
    await sleep(1);
  }
}
