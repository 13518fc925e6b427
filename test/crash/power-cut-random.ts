/** Chance that can be had again: the same seed gives the same numbers. */
export class Chance {
  private state: number;

  constructor(readonly seed: number) {
    this.state = seed >>> 0;
  }

  /** A seed for this run: `CRASH_SEED` where it is set, to have a run again as far as the machine allows. */
  static get seed(): number {
    return Number(process.env['CRASH_SEED'] ?? Date.now() % 1_000_000);
  }

  /** A whole number from `least` to `most`, both of them possible. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  /** A whole number from `least` to `most`: each order of magnitude as likely as another. */
  size(least: number, most: number): number {
    return Math.round(least * (most / least) ** this.next());
  }

  oneOf<T>(things: readonly T[]): T {
    return things[this.whole(0, things.length - 1)] as T;
  }

  /** That many of them, each at most once, in their order. */
  some<T>(things: readonly T[], count: number): readonly T[] {
    const left = things.map((_, at) => at);
    const taken = Array.from({ length: Math.min(count, left.length) }, () => left.splice(this.whole(0, left.length - 1), 1)).flat();
    return taken.sort((a, b) => a - b).map((at) => things[at] as T);
  }

  /** mulberry32: from 0 to below 1. */
  private next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
}
