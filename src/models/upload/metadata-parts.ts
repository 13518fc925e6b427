import 'reflect-metadata';
import { IsBoolean, IsInt, Max, Min, ValidateBy } from 'class-validator';
import { MayBeAbsent } from '../../wire/may-be-absent.decorator';

const MAX_EDGES = 100;
const SUM_TOLERANCE = 0.01;

/** Whether answers of the version may be kept, and how long. */
export class CacheSettings {
  @MayBeAbsent()
  @IsBoolean()
  readonly enabled?: boolean;

  @MayBeAbsent()
  @IsInt()
  @Min(1)
  @Max(31_536_000)
  readonly ttlSeconds?: number;
}

/** How a feature was distributed when the model was trained: bin 0 is below the first edge, the last bin from the last edge on. */
export interface FeatureBaseline {
  /** Ascending. */
  readonly edges: readonly number[];
  /** Of each bin, one more than edges; together 1. */
  readonly shares: readonly number[];
}

/** class-validator's `ArrayUnique` compares each element with each: 10 s for 100 000 of them. */
export function AllDifferent(): PropertyDecorator {
  const validate = (value: unknown): boolean => Array.isArray(value) && new Set(value).size === value.length;
  return ValidateBy({ name: 'allDifferent', validator: { validate, defaultMessage: () => '$property must have no element twice' } });
}

/** An object of FeatureBaseline by name of the feature. */
export function IsBaseline(): PropertyDecorator {
  const validate = (value: unknown): boolean =>
    typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every((each) => isFeatureBaseline(each));
  const defaultMessage = (): string =>
    `$property must have, for each feature, { edges: 1 to ${MAX_EDGES} ascending numbers, shares: one number more, together 1 }`;
  return ValidateBy({ name: 'isBaseline', validator: { validate, defaultMessage } });
}

function isFeatureBaseline(value: unknown): value is FeatureBaseline {
  if (typeof value !== 'object' || value === null || Object.keys(value).sort().join() !== 'edges,shares') return false;
  const { edges, shares } = value as { readonly edges: unknown; readonly shares: unknown };
  if (!isNumbers(edges) || !isNumbers(shares)) return false;
  const ascending = edges.every((edge, at) => at === 0 || edge > (edges[at - 1] as number));
  const sum = shares.reduce((all, share) => all + share, 0);
  const whole = shares.every((share) => share >= 0) && Math.abs(sum - 1) <= SUM_TOLERANCE;
  return edges.length >= 1 && edges.length <= MAX_EDGES && shares.length === edges.length + 1 && ascending && whole;
}

function isNumbers(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((each) => Number.isFinite(each));
}
