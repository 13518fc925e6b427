import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { type Measured, ModelRuntime } from '../../runtime/model-runtime.port';
import { DerivedFiles } from '../../storage/derived-files';

/** What models cost on this machine, by executable. Disposable: what is lost is measured again. */
@Injectable()
export class Measurements {
  private readonly known = new Map<string, Measured>();

  constructor(
    private readonly files: DerivedFiles,
    private readonly runtime: ModelRuntime,
  ) {}

  /** What is known at once. */
  of(executable: string): Measured | undefined {
    return this.known.get(executable);
  }

  /** Reads what was measured on a machine like this one, if it was. */
  async find(executable: string): Promise<Measured | undefined> {
    const known = this.known.get(executable) ?? (await this.files.read(this.nameOf(executable)));
    if (!isMeasured(known) || known.machine !== this.runtime.machine) return undefined;
    this.known.set(executable, known);
    return known;
  }

  async keep(executable: string, measured: Measured): Promise<void> {
    this.known.set(executable, measured);
    await this.files.write(this.nameOf(executable), measured);
  }

  /** Replicas on other machines measure for themselves. */
  private nameOf(executable: string): string {
    return `measured/${executable}-${createHash('sha256').update(this.runtime.machine).digest('hex').slice(0, 12)}.json`;
  }
}

/** Another version of the service may have kept something else under the same name. */
function isMeasured(value: unknown): value is Measured {
  const found = (value ?? {}) as { readonly [K in keyof Measured]?: unknown };
  return (
    typeof found.machine === 'string' &&
    [found.loadMs, found.memoryBytes, found.bestBatch].every(Number.isFinite) &&
    [found.batchable, found.exactInBatches, found.repeatable].every((flag) => typeof flag === 'boolean') &&
    Array.isArray(found.curve) &&
    found.curve.every((point: Partial<Measured['curve'][number]> | null) => [point?.rows, point?.micros].every(Number.isFinite))
  );
}
