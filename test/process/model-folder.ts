import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EngineRun, NextRun, ModelFile } from '../../src/runtime/model-runtime.port';
import type { Tensor } from '../../src/runtime/tensor';

/** A folder of model files, named by their hashes. */
export class ModelFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'analytics-api-models-'));

  file(bytes: Uint8Array): ModelFile {
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const path = join(this.path, sha256);
    writeFileSync(path, bytes);
    return { path, sha256 };
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** An input or output of one column. */
export function column(name: string, ...values: readonly number[]): Tensor {
  return { name, datatype: 'FP32', shape: [values.length, 1], data: Float32Array.from(values) };
}

/** A call of a model that makes `y` of a column `x`, with all the time in the world unless told otherwise. */
export function callWith(x: number, limits: Partial<Pick<EngineRun, 'engineDeadlineMs'>> = {}): NextRun {
  return () => ({ inputs: [column('x', x)], outputs: ['y'], engineDeadlineMs: 10_000, ...limits });
}
