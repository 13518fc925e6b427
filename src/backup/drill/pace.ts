import { setTimeout as sleep } from 'node:timers/promises';

/** So long is worked at a stretch, ms: whoever waits for the process meanwhile hardly notices. */
const STRETCH_MS = 1;

/** Lets work take only a share of the time of its process, so that whoever else works there has the rest. */
export class Pace {
  private since = performance.now();
  private resting: Promise<void> | undefined;
  /** How long it has rested, all together. */
  restedMs = 0;

  /** @param share more than 0, at most 1: no rest at all */
  constructor(private readonly share: number) {}

  /** The same bytes, with rests. */
  async *pieces(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    for await (const piece of source) {
      yield piece;
      await this.rest();
    }
  }

  /** To be waited for after each piece of work, by everybody who works. */
  async rest(): Promise<void> {
    if (this.share === 1) return;
    const worked = performance.now() - this.since;
    if (this.resting === undefined && worked < STRETCH_MS) return;
    this.resting ??= this.restFrom(performance.now(), worked / this.share - worked);
    await this.resting;
  }

  private async restFrom(startedAt: number, ms: number): Promise<void> {
    await sleep(ms);
    this.resting = undefined;
    this.since = performance.now();
    this.restedMs += this.since - startedAt;
  }
}
