import type { FeedbackItem } from './feedback-item';
import { FeedbackMismatch } from './quality.errors';
import type { FeatureMatrix } from './watched-matrix';

/** The features of an item as a row of the matrix. @throws FeedbackMismatch for the first that does not fit */
export function featureRow({ at, features }: FeedbackItem, matrix: FeatureMatrix | undefined): readonly number[] | undefined {
  if (features === undefined) return undefined;
  const field = `${at}features`;
  if (matrix === undefined) throw new FeedbackMismatch(field, 'absent: the version does not take one matrix of numbers', 'features');
  return isArray(features) ? fromArray(features, matrix, field) : fromObject(features, matrix, field);
}

function fromArray(features: readonly unknown[], { width }: FeatureMatrix, field: string): readonly number[] {
  if (features.length !== width) throw new FeedbackMismatch(field, `${width} numbers`, `${features.length} values`);
  return features.map((value, at) => numberOf(value, `${field}[${at}]`));
}

function fromObject(features: Readonly<Record<string, unknown>>, { names }: FeatureMatrix, field: string): readonly number[] {
  if (names === undefined) throw new FeedbackMismatch(field, 'an array: the version does not know the names of its features', 'an object');
  const row = names.map((name) => numberOf(Object.hasOwn(features, name) ? features[name] : undefined, `${field}.${name}`));
  const given = Object.keys(features);
  if (given.length === names.length) return row;
  const known = new Set(names);
  throw new FeedbackMismatch(`${field}.${given.find((name) => !known.has(name))?.slice(0, 80)}`, 'absent: no such feature', 'one more');
}

function numberOf(value: unknown, field: string): number {
  if (typeof value === 'number') return value;
  throw new FeedbackMismatch(field, 'a number', value === undefined ? 'missing' : typeof value);
}

function isArray(value: object): value is readonly unknown[] {
  return Array.isArray(value);
}
