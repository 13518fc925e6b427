import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What a case showed. */
export interface CoverageRow {
  readonly kind: string;
  readonly name: string;
  readonly backend: string;
}

const doc = (): string => readFileSync(join(__dirname, '..', '..', 'docs', 'TFJS.md'), 'utf8');

/** What docs/TFJS.md says is let in without a row. */
export function namesWithoutRow(): readonly string[] {
  const [, list = ''] = /^Let in without a row: ([^.]*)\./m.exec(doc()) ?? [];
  return [...list.matchAll(/`(\w+)`/g)].map(([, name]) => name as string);
}

/** The rows of the table in docs/TFJS.md. */
export function writtenRows(): readonly string[] {
  return doc()
    .split('\n')
    .filter((line) => /^\| (layer|operator) \|/.test(line));
}
