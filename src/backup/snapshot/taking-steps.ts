import type { TakingPhase } from './snapshot-failure';
import type { Progress } from './snapshot-records';

/** Who wants to know how far it is, and who may end it. */
export interface Watcher {
  readonly progress?: (progress: Progress) => void;
  readonly signal?: AbortSignal;
}

/** How far a snapshot is on its way, for those who watch and for what is said where it ends too early. */
export class TakingSteps {
  private now: TakingPhase = 'preparing';
  private at: string | undefined;
  private doneBytes = 0;
  private doneObjects = 0;
  private allBytes = 0;
  private allObjects = 0;

  constructor(private readonly watcher: Watcher) {}

  get phase(): TakingPhase {
    return this.now;
  }

  /** What is being worked on. */
  get object(): string | undefined {
    return this.at;
  }

  /** @throws AbortError as everything here where the watcher wants no more */
  enter(phase: TakingPhase): void {
    this.now = phase;
    this.at = undefined;
    this.report();
  }

  /** A cut was made: all that was done for another counts no more. @param sizes of its blobs; events are counted as they come */
  begin(sizes: Iterable<number>): void {
    Object.assign(this, { doneBytes: 0, doneObjects: 0, allBytes: 0, allObjects: 0 });
    for (const bytes of sizes) this.expect(bytes);
  }

  /** One object more is to be done. */
  expect(bytes: number): void {
    this.allBytes += bytes;
    this.allObjects++;
  }

  /** Does the work of an object, and counts it whole, read or not. */
  async on<T>(path: string, bytes: number, work: () => Promise<T>): Promise<T> {
    this.at = path;
    const before = this.doneBytes;
    const result = await work();
    this.doneBytes = before + bytes;
    this.doneObjects++;
    this.report();
    return result;
  }

  /** Hands on what is read, and counts it. */
  async *watch(source: AsyncIterable<unknown> | Iterable<unknown>): AsyncIterable<Uint8Array> {
    for await (const chunk of source) {
      yield chunk as Uint8Array;
      this.doneBytes += (chunk as Uint8Array).length;
      this.report();
    }
  }

  private report(): void {
    const { doneBytes, allBytes, doneObjects, allObjects } = this;
    this.watcher.signal?.throwIfAborted();
    this.watcher.progress?.({ phase: this.now, doneBytes, allBytes, doneObjects, allObjects });
  }
}
