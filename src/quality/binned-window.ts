import { binOf, type FeatureBins, populationStability } from './feature-bins';

/** The least that says anything: of fewer rows chance alone makes an index that looks like drift. */
const LEAST_ROWS = 250;

/** How far the inputs have gone from what they were. */
export interface FeatureDrift {
  readonly feature: string;
  /** Population stability index; null: too few rows so far. */
  readonly psi: number | null;
}

/** The last rows of a version, as the bins that their values are in: a byte for each. */
export class BinnedWindow {
  private readonly binned: Uint8Array;
  private readonly counts: readonly number[][];
  private next = 0;
  private told: { readonly rows: number; readonly drift: readonly FeatureDrift[] } | undefined;
  /** How many were ever added. */
  private added = 0;
  rows = 0;

  /** @param features at most 100 edges each */
  constructor(
    private readonly features: readonly FeatureBins[],
    private readonly size: number,
  ) {
    this.binned = new Uint8Array(size * features.length);
    this.counts = features.map(({ shares }) => shares.map(() => 0));
  }

  /** @param row one value for each feature */
  add(row: Float64Array): void {
    const start = this.next * this.features.length;
    const full = this.rows === this.size;
    for (let column = 0; column < this.features.length; column++) {
      const counts = this.counts[column] as number[];
      if (full) counts[this.binned[start + column] as number]!--;
      const bin = binOf((this.features[column] as FeatureBins).edges, row[column] as number);
      this.binned[start + column] = bin;
      counts[bin]!++;
    }
    this.next = (this.next + 1) % this.size;
    this.rows = Math.min(this.rows + 1, this.size);
    this.added++;
  }

  /** Computed when somebody asks, and again when there are new rows. @returns the greatest first */
  drift(): readonly FeatureDrift[] {
    if (this.told?.rows !== this.added) this.told = { rows: this.added, drift: this.compute() };
    return this.told.drift;
  }

  private compute(): readonly FeatureDrift[] {
    const enough = this.rows >= Math.min(LEAST_ROWS, this.size);
    const drift = this.features.map(({ feature, shares }, column) => ({
      feature,
      psi: enough ? populationStability(shares, this.counts[column] as number[]) : null,
    }));
    return drift.toSorted((a, b) => (b.psi ?? 0) - (a.psi ?? 0));
  }
}
