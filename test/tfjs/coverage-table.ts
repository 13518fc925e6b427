import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What a case showed. */
export interface CoverageRow {
  readonly kind: string;
  readonly name: string;
  readonly backend: string;
}

/** The rows of the table in docs/TFJS.md. */
export function writtenRows(): readonly string[] {
  const doc = readFileSync(join(__dirname, '..', '..', 'docs', 'TFJS.md'), 'utf8');
  return doc.split('\n').filter((line) => /^\| (layer|operator) \|/.test(line));
}
