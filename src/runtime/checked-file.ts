import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { ModelPart, ModelSource } from './model-runtime.port';

/** The bytes of a file are not those that were meant; both SHA-256 digests, 64 hex digits each. */
export class Damaged extends Error {
  constructor(
    readonly expected: string,
    readonly actual: string,
  ) {
    super();
  }
}

/** Reads a file, and checks the very bytes that are given back. @throws Damaged */
export async function readChecked({ path, sha256 }: { readonly path: string; readonly sha256: string }): Promise<Buffer> {
  const bytes = await readFile(path);
  const actual = createHash('sha256').update(bytes).digest('hex');
  if (actual !== sha256) throw new Damaged(sha256, actual);
  return bytes;
}

/** The files of a model, of one as of several; the bytes of each are read and checked when they are asked for. */
export function partsOf({ path, sha256, parts }: ModelSource): readonly ModelPart[] {
  return parts ?? [{ name: 'model', path, sha256 }];
}
