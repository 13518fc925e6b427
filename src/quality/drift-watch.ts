import type { VersionRecord } from '../models/registry/registry-records';
import type { Tensor } from '../runtime/tensor';
import { BaselineSample } from './baseline-sample';
import { BinnedWindow, type FeatureDrift } from './binned-window';
import type { FeatureBins } from './feature-bins';
import { SamplingPace } from './sampling-pace';
import { eachRow, type FeatureMatrix, roundedAs, type WatchedColumn, watchedColumns } from './watched-matrix';

/** Bins of a feature, and what they count, at most. */
const FEATURE_BYTES = 102 * 24;

/** Where baselines that were learned outlive a restart. */
export interface BaselineShelf {
  read(): Promise<readonly FeatureBins[] | undefined>;
  write(bins: readonly FeatureBins[]): Promise<void>;
}

/** How many rows are looked at: to learn what they are like, and to compare with that. */
export interface WatchSizes {
  readonly baselineRows: number;
  readonly window: number;
}

/** Where a watch got its baseline from; `learning`: it has none yet. */
export type BaselineSource = 'metadata' | 'learned' | 'learning';

/** Compares the inputs of a version with what they were when it was trained, or, where its metadata do not say that, at first. */
export class DriftWatch {
  readonly pace = new SamplingPace();
  readonly columns: readonly WatchedColumn[];
  private readonly row: Float64Array;
  private sample: BaselineSample | undefined;
  private window: BinnedWindow | undefined;
  private onLearned = (): void => {};
  private closed = false;
  source: BaselineSource = 'learning';

  constructor(
    readonly record: VersionRecord,
    private readonly matrix: FeatureMatrix,
    private readonly sizes: WatchSizes,
    private readonly shelf: BaselineShelf,
  ) {
    this.columns = watchedColumns(matrix, record.manifest.metadata.baseline);
    this.row = new Float64Array(this.columns.length);
  }

  /** What it takes in memory, at most. */
  get bytes(): number {
    const { baselineRows, window } = this.sizes;
    const ofFeature = this.window === undefined ? Math.max(8 * baselineRows, window) : window;
    return this.columns.length * (ofFeature + FEATURE_BYTES);
  }

  /** Rows that its baseline was learned from, so far. */
  get sampled(): number {
    return this.sample?.rows ?? 0;
  }

  /** Rows that are compared with the baseline. */
  get rows(): number {
    return this.window?.rows ?? 0;
  }

  /** The greatest first; empty until there is a baseline. */
  drift(): readonly FeatureDrift[] {
    return this.window?.drift() ?? [];
  }

  /**
   * Until it is open no row is looked at.
   * @param onLearned is told when it has learned a baseline, and takes less memory
   */
  async open(onLearned: () => void): Promise<void> {
    this.onLearned = onLearned;
    const { baseline } = this.record.manifest.metadata;
    const features = this.columns.map(({ feature }) => feature);
    if (baseline !== undefined) return this.begin('metadata', features.map((feature) => this.stated(feature))); // prettier-ignore
    const kept = await this.shelf.read();
    if (this.closed) return;
    const ours = kept !== undefined && kept.length === features.length && kept.every(({ feature }, at) => feature === features[at]);
    if (ours) this.begin('learned', kept);
    else this.sample = new BaselineSample(features, this.sizes.baselineRows);
  }

  /** It had to make room: it takes none from here on. */
  close(): void {
    this.closed = true;
    [this.sample, this.window] = [undefined, undefined];
  }

  /** Some rows of a call. */
  look(input: Tensor): void {
    eachRow(input, this.columns, this.row, (row) => this.add(row));
  }

  /** One row, all columns of it in the model's order. */
  lookAtRow(values: readonly number[]): void {
    for (const [place, { at }] of this.columns.entries()) this.row[place] = roundedAs(this.matrix.datatype, values[at] as number);
    this.add(this.row);
  }

  private add(row: Float64Array): void {
    if (this.window !== undefined) this.window.add(row);
    else if (this.sample !== undefined && !this.sample.complete) {
      this.sample.add(row);
      if (this.sample.complete) void this.learn(this.sample); // its only failure is a disk's, and is none
    }
  }

  private async learn(sample: BaselineSample): Promise<void> {
    const bins = await sample.bins();
    await this.shelf.write(bins);
    if (this.closed) return;
    this.begin('learned', bins);
    this.onLearned();
  }

  private begin(source: BaselineSource, bins: readonly FeatureBins[]): void {
    this.sample = undefined;
    this.window = new BinnedWindow(bins, this.sizes.window);
    this.source = source;
  }

  private stated(feature: string): FeatureBins {
    const { edges, shares } = this.record.manifest.metadata.baseline?.[feature] ?? { edges: [], shares: [1] };
    const sum = shares.reduce((all, share) => all + share, 0);
    const rounded = edges.map((edge) => roundedAs(this.matrix.datatype, edge));
    return { feature, edges: rounded, shares: [...shares.map((share) => share / sum), 0] };
  }
}
