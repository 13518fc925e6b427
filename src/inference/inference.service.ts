import { Injectable } from '@nestjs/common';
import { InferenceConfig, RuntimeConfig } from '../config/app-config';
import { Admission } from './admission';
import type { InferenceCall, InferenceResult } from './inference-call';
import { validateInputs, validateOutputs } from './validate-inputs';

/** Answers calls: validated, admitted, run. */
@Injectable()
export class InferenceService {
  constructor(
    private readonly admission: Admission,
    private readonly config: InferenceConfig,
    private readonly runtime: RuntimeConfig,
  ) {}

  /** @throws InputsMismatch, DatatypeMismatch, ShapeMismatch, OutputUnknown, TooManyCalls; as LoadedModel.run */
  async run({ target, inputs, outputs }: InferenceCall): Promise<InferenceResult> {
    const { model, signature, manifest } = target.record;
    validateInputs(inputs, signature);
    if (outputs !== undefined) validateOutputs(outputs, signature);
    return this.admission.admit(model, () =>
      target.run({
        inputs,
        outputs: outputs ?? signature.outputs.map(({ name }) => name),
        engineDeadlineMs: manifest.metadata.deadlineMs ?? this.runtime.engineDeadlineMs,
        expiresAt: performance.now() + this.config.callDeadlineSeconds * 1000,
      }),
    );
  }
}
