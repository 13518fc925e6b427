import { setImmediate as turn } from 'node:timers/promises';
import { decileBins, type FeatureBins } from './feature-bins';

const SLICE_MS = 2;

/** The first rows of a version, until there are enough of them to tell what its inputs look like. */
export class BaselineSample {
  private readonly values: Float64Array;
  rows = 0;

  constructor(
    private readonly features: readonly string[],
    private readonly wanted: number,
  ) {
    this.values = new Float64Array(wanted * features.length);
  }

  get complete(): boolean {
    return this.rows === this.wanted;
  }

  /** Only where it is not complete. */
  add(row: Float64Array): void {
    for (let column = 0; column < row.length; column++) this.values[column * this.wanted + this.rows] = row[column] as number;
    this.rows++;
  }

  /** In slices, between which others have their turn. */
  async bins(): Promise<readonly FeatureBins[]> {
    const bins: FeatureBins[] = [];
    let startedAt = performance.now();
    for (const [column, feature] of this.features.entries()) {
      bins.push(decileBins(feature, this.values.subarray(column * this.wanted, (column + 1) * this.wanted)));
      if (performance.now() - startedAt < SLICE_MS) continue;
      await turn();
      startedAt = performance.now();
    }
    return bins;
  }
}
