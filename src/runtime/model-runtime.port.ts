import type { Signature, Tensor } from './tensor';

/** The file that an engine loads. */
export interface ModelFile {
  readonly path: string;
  /** SHA-256 of the file, 64 hex digits: checked on the very bytes that the engine gets. */
  readonly sha256: string;
}

/** What an import found out about a model file. */
export interface ImportReport {
  readonly engine: 'onnx';
  readonly signature: Signature;
}

/** One run of a model. */
export interface EngineRun {
  readonly inputs: readonly Tensor[];
  /** Names of the wanted outputs, in the wanted order. */
  readonly outputs: readonly string[];
  /** How long the engine may take, milliseconds, from its start on. */
  readonly engineDeadlineMs: number;
  /** `performance.now()` after which nobody waits for the answer any more: not started then. */
  readonly expiresAt: number;
}

/** What a run gave. */
export interface EngineAnswer {
  readonly outputs: readonly Tensor[];
  /** Milliseconds that the run waited for an engine. */
  readonly queueMs: number;
  /** Milliseconds that the engine took. */
  readonly inferMs: number;
}

/** A model in memory, ready to answer. */
export interface LoadedModel {
  /** @throws InferenceFailed, EngineDeadlineExceeded, CallExpired, EngineCrashed */
  run(run: EngineRun): Promise<EngineAnswer>;
  /** Frees the memory. A `run` after it loads the model again. */
  unload(): Promise<void>;
}

/** Turns model files into models that answer. The only room that knows an engine's library. */
export abstract class ModelRuntime {
  /**
   * Looks at a file that nobody vouches for, in a process of its own: loads it, reads its signature, runs it on a sample.
   * @throws ModelRefused, ImportDeadlineExceeded, EngineCrashed
   */
  abstract import(file: ModelFile): Promise<ImportReport>;

  /** Loads a model and warms it up. @throws ModelRefused, ModelDamaged, EngineDeadlineExceeded, EngineCrashed */
  abstract load(file: ModelFile): Promise<LoadedModel>;
}
