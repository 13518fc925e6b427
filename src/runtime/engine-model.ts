import type { ImportReport } from './model-runtime.port';
import type { Signature, Tensor } from './tensor';

/** A model in an engine, in the process that runs it. Everything here may block the thread that calls it. */
export interface EngineModel {
  readonly signature: Signature;
  /** As `Measured.backend`. */
  readonly backend?: string;
  /** @param outputs names of the wanted ones, in the wanted order @throws EngineError */
  run(inputs: readonly Tensor[], outputs: readonly string[]): Promise<readonly Tensor[]>;
  /** Frees the memory. */
  release(): Promise<void>;
}

/** The files of a model, walked through and ready for its engine. */
export interface OpenedModel {
  readonly report: Omit<ImportReport, 'signature' | 'measured' | 'trials'>;
  /** Whether the model draws by chance: what it draws may be the same for a while. */
  readonly random: boolean;
  /** Makes the engine's library take the memory that every process with a model needs once, so that a model can be measured. */
  startEngine(): Promise<void>;
  /** Loads the model and runs it once. @throws EngineError */
  load(): Promise<EngineModel>;
}

/** Why a model or an input was no good: a sentence that an uploader or a caller may read. */
export class EngineError extends Error {}
