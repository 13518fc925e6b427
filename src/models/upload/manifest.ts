import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { EngineName } from '../../runtime/model-runtime.port';
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

/** What decides the answers of a version: the engine, the file that it loads, those that it loads beside it, its options. */
export interface Executable {
  readonly engine: string;
  readonly file: string;
  /** Absent where there are none. */
  readonly parts?: readonly Pick<ManifestFile, 'path' | 'sha256'>[];
  readonly options: Readonly<Record<string, string | number>>;
}

/** SHA-256 of the canonical JSON (RFC 8785) of a manifest, an executable or some files, 64 hex digits. */
export function digestOf(value: Manifest | Executable | readonly Pick<ManifestFile, 'path' | 'sha256'>[]): string {
  return createHash('sha256')
    .update(canonicalize(value) as string)
    .digest('hex');
}

/** The files of an artifact that its engine loads, the model file first: what lies beside an ONNX file decides no answer. */
export function loadedFiles(engine: EngineName, [model, ...others]: readonly ManifestFile[]): readonly [ManifestFile, ...ManifestFile[]] {
  return [model as ManifestFile, ...(engine === 'onnx' ? [] : others)];
}

/** The executable of a version. @param files of its manifest @param options of its import */
export function executableOf(engine: EngineName, files: readonly ManifestFile[], options: Executable['options']): string {
  const [{ sha256: file }, ...others] = loadedFiles(engine, files);
  return digestOf({ engine, file, ...(others.length > 0 && { parts: others.map(nameAndDigest) }), options });
}

/** What the engine room knows a model by: the digest of the one file that is loaded, or of all of them. */
export function sourceDigest(files: readonly [ManifestFile, ...ManifestFile[]]): string {
  return files.length === 1 ? files[0].sha256 : digestOf(files.map(nameAndDigest));
}

function nameAndDigest({ path, sha256 }: ManifestFile): Pick<ManifestFile, 'path' | 'sha256'> {
  return { path, sha256 };
}
