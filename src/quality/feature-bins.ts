const BINS = 10;
/** What stands for an empty bin: its logarithm would be infinite. */
const LEAST_SHARE = 1e-4;

/** How the values of a feature were distributed, in bins. */
export interface FeatureBins {
  readonly feature: string;
  /** Ascending: bin 0 is below the first edge, the last but one from the last edge on; the last is what is no number. */
  readonly edges: readonly number[];
  /** Of each bin, two more than edges; together 1. */
  readonly shares: readonly number[];
}

/** Which of the bins between `edges` a value is in. */
export function binOf(edges: readonly number[], value: number): number {
  if (Number.isNaN(value)) return edges.length + 1;
  let low = 0;
  let high = edges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((edges[middle] as number) <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Bins of about equal shares: the edges are the deciles of the values, each once. */
export function decileBins(feature: string, values: Float64Array): FeatureBins {
  const known = values.filter((value) => !Number.isNaN(value)).sort();
  const edges = known.length === 0 ? [] : distinctDeciles(known);
  const counts = Array.from({ length: edges.length + 2 }, () => 0);
  for (const value of values) counts[binOf(edges, value)]!++;
  return { feature, edges, shares: counts.map((count) => count / values.length) };
}

/**
 * The population stability index: Σ (actual − expected) · ln(actual / expected) over all bins, each share at least 0.0001.
 * @param counts how many values are in each bin
 */
export function populationStability(expected: readonly number[], counts: readonly number[]): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return expected.reduce((sum, share, bin) => {
    const [before, now] = [Math.max(share, LEAST_SHARE), Math.max((counts[bin] as number) / total, LEAST_SHARE)];
    return sum + (now - before) * Math.log(now / before);
  }, 0);
}

/** @param known ascending, at least one */
function distinctDeciles(known: Float64Array): readonly number[] {
  const deciles = Array.from({ length: BINS - 1 }, (_, at) => known[Math.ceil(((at + 1) * known.length) / BINS) - 1] as number);
  const edges = [...new Set(deciles)];
  const [only] = edges;
  // of a value that was always the same both sides are apart
  return edges.length === 1 && only !== undefined ? [only, justAbove(only)] : edges;
}

function justAbove(value: number): number {
  return value + Math.max(Math.abs(value) * Number.EPSILON, Number.MIN_VALUE);
}
