import { Injectable } from '@nestjs/common';
import { RuntimeConfig } from '../../config/app-config';
import { AppError } from '../../errors/app-error';
import type { Trial } from '../../runtime/model-runtime.port';
import type { Tensor } from '../../runtime/tensor';
import { GoldenDeviation } from '../registry/registry.errors';
import { GoldenMismatch } from '../upload/upload.errors';
import { goldenTrials, refuseDeviation } from '../upload/golden';
import type { ServedVersion } from './served-version';

/** Tries the golden rows of a version that is in memory: another machine than that of its upload may compute something else. */
@Injectable()
export class GoldenReplay {
  constructor(private readonly config: RuntimeConfig) {}

  /** @throws GoldenDeviation */
  async refuseDeviation(served: ServedVersion): Promise<void> {
    const { model, version, manifest, signature } = served.record;
    const { golden = [] } = manifest.metadata;
    try {
      const answers: (readonly Tensor[] | { readonly reason: string })[] = [];
      for (const inputs of goldenTrials(golden, signature)) answers.push(await this.answer(served, inputs));
      refuseDeviation(golden, answers);
    } catch (error) {
      throw error instanceof GoldenMismatch ? new GoldenDeviation(model, version, error) : error;
    }
  }

  private async answer(served: ServedVersion, inputs: Trial): Promise<readonly Tensor[] | { readonly reason: string }> {
    const { signature, manifest } = served.record;
    const engineDeadlineMs = manifest.metadata.deadlineMs ?? this.config.engineDeadlineMs;
    const outputs = signature.outputs.map(({ name }) => name);
    try {
      return (await served.run(() => ({ inputs, outputs, engineDeadlineMs }))).outputs;
    } catch (error) {
      if (error instanceof AppError) return { reason: error.message };
      throw error;
    }
  }
}
