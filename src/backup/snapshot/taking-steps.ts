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

  /** What failed first. */
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

  /**
   * Does the work of an object, and counts it whole, read or not.
   * @param work is given what hands on bytes and counts them
   */
  async on<T>(path: string, bytes: number, work: (watch: Watch) => Promise<T>): Promise<T> {
    let counted = 0;
    const count = (more: number): void => {
      counted += more;
      this.doneBytes += more;
      this.report();
    };
    try {
      const result = await work((source) => counting(source, count));
      count(bytes - counted);
      this.doneObjects++;
      return result;
    } catch (error) {
      this.at ??= path;
      throw error;
    }
  }

  private report(): void {
    const { doneBytes, allBytes, doneObjects, allObjects } = this;
    this.watcher.signal?.throwIfAborted();
    this.watcher.progress?.({ phase: this.now, doneBytes, allBytes, doneObjects, allObjects });
  }
}

/** Hands on what is read. */
export type Watch = (source: AsyncIterable<unknown> | Iterable<unknown>) => AsyncIterable<Uint8Array>;

async function* counting(source: AsyncIterable<unknown> | Iterable<unknown>, count: (bytes: number) => void): AsyncIterable<Uint8Array> {
  for await (const chunk of source) {
    yield chunk as Uint8Array;
    count((chunk as Uint8Array).length);
  }
}
