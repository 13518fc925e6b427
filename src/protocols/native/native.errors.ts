import { AppError } from '../../errors/app-error';

/** A row lacks a feature or an input. */
export class MissingFeature extends AppError {
  readonly code = 'MISSING_FEATURE';
  readonly kind = 'invalid' as const;
  constructor(field: string, expected: string) {
    super(`${field} is missing`, { field, expected, actual: 'missing' });
  }
}

/** A row has a feature that the model does not know. */
export class UnknownFeature extends AppError {
  readonly code = 'UNKNOWN_FEATURE';
  readonly kind = 'invalid' as const;
  constructor(field: string, known: readonly string[]) {
    super(`${field} is no feature of this model`, { field, expected: `only ${shortList(known)}`, actual: 'one more' });
  }
}

/** A row comes as an object, but the version does not know the names of its columns. */
export class FeatureNamesMissing extends AppError {
  readonly code = 'FEATURE_NAMES_MISSING';
  readonly kind = 'invalid' as const;
  /** @param columns how many columns the input has; −1: any number; `undefined`: it is no matrix, and its features have no names */
  constructor(field: string, columns: number | undefined) {
    const expected =
      columns === undefined
        ? 'the values as an array: the input is no matrix of features'
        : `the values as an array, or a version uploaded with the metadata {"featureNames": [${placeholders(columns)}]}`;
    super('This version does not know the names of its features', { field, expected, actual: 'an object of features' });
  }
}

/** The model’s output has no part for each row. */
export class RowsNotSeparable extends AppError {
  readonly code = 'ROWS_NOT_SEPARABLE';
  readonly kind = 'invalid' as const;
  constructor(output: string, rows: number) {
    super(`The output "${output}" has no part for each row; send one row at a time`, {
      field: 'instances',
      expected: '1 row',
      actual: `${rows} rows`,
    });
  }
}

function placeholders(columns: number): string {
  return columns > 0 && columns <= 8 ? Array.from({ length: columns }, (_, at) => `"name ${at + 1}"`).join(', ') : `"name 1", …`;
}

function shortList(names: readonly string[]): string {
  return names.length <= 20 ? names.join(', ') : `${names.slice(0, 20).join(', ')} and ${names.length - 20} more`;
}
