import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { ModelMetadata } from './model-metadata';

/** One file of an artifact. */
export interface ManifestFile {
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
}

/** What makes a version what it is: its files, and the metadata as sent, but for what belongs to the model (description, tags). */
export interface Manifest {
  readonly files: readonly ManifestFile[];
  readonly metadata: Omit<ModelMetadata, 'description' | 'tags'>;
}

/** What decides the answers of a version: the engine, the file that it loads, its options. */
export interface Executable {
  readonly engine: string;
  readonly file: string;
  readonly options: Readonly<Record<string, string | number>>;
}

/** SHA-256 of the canonical JSON (RFC 8785) of a manifest or an executable, 64 hex digits. */
export function digestOf(value: Manifest | Executable): string {
  return createHash('sha256')
    .update(canonicalize(value) as string)
    .digest('hex');
}
