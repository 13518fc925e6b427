import type { Signature, Tensor } from './tensor';

/** The engines that there are: ONNX Runtime, TensorFlow.js. */
export type EngineName = 'onnx' | 'tfjs';

/** One file of a model of several. */
export interface ModelPart {
  /** What the others call it: its path in the artifact. */
  readonly name: string;
  readonly path: string;
  /** SHA-256, 64 hex digits: checked on the very bytes that the engine gets. */
  readonly sha256: string;
}

/** What an engine loads. */
export interface ModelSource {
  /** Absent: `onnx`. */
  readonly engine?: EngineName;
  readonly path: string;
  /**
   * What the model is known by, 64 hex digits: SHA-256 of the file, checked on the very bytes that the engine gets; where there are parts,
   * any digest that covers all of theirs, as those are checked.
   */
  readonly sha256: string;
  /** All files of a model that has several, the one at `path` first. */
  readonly parts?: readonly ModelPart[];
  /** As `Measured.backend`. */
  readonly backend?: string;
}

/** What an engine loads, and what is known of it. */
export interface ModelFile extends ModelSource {
  /** Whether what a run takes follows from the shapes of its inputs alone: such models share hosts. Absent: nobody knows. */
  readonly bounded?: boolean;
  /** What one run usually takes, milliseconds; absent: not measured here. */
  readonly usualMs?: number;
  /** What the model takes in memory; absent: not measured here. */
  readonly memoryBytes?: number;
  /** As `Placement.inline`. */
  readonly inline?: RowCosts;
}

/** What a model costs on this machine, measured at its import. */
export interface Measured {
  /** As `ModelRuntime.machine`: another one may compute at another speed, and other last bits. */
  readonly machine: string;
  readonly loadMs: number;
  /** How much the process grew by loading it and running it. */
  readonly memoryBytes: number;
  /** Median microseconds of a run of that many rows; empty where a dimension besides the first is free. */
  readonly curve: readonly { readonly rows: number; readonly micros: number }[];
  /** The least number of rows at which a row is as cheap as it gets; 1 where rows cannot be put together. */
  readonly bestBatch: number;
  /** Whether rows can be put together: the first dimension of every input is free, and every output has as many rows. */
  readonly batchable: boolean;
  /** Whether a row gets the same bits in a batch as alone. */
  readonly exactInBatches: boolean;
  /** Whether two runs on the same input give the same bits. What does not is never cached. */
  readonly repeatable: boolean;
  /** What the engine computes with here, where it has several ways: `wasm`, `cpu` or `tfjs-node`. */
  readonly backend?: string;
}

/** What is known of a model, as far as it decides where its calls run. */
export interface PlacementFacts {
  /** As `ModelSource.sha256`. */
  readonly sha256: string;
  readonly signature: Signature;
  /** Why what a run takes may depend on more than shapes; absent: nobody looked. */
  readonly unbounded?: readonly string[];
  readonly initializerBytes?: number;
  /** What it costs on this machine; undefined: nobody measured. */
  readonly measured: Measured | undefined;
  /** Whether its metadata want it out of the server's own process. */
  readonly isolated: boolean;
}

/** What a run costs by its rows. */
export interface RowCosts {
  /** Whether the first dimension of every input is free: it is the rows then. Else each run has one. */
  readonly free: boolean;
  readonly curve: Measured['curve'];
}

/** Where calls of a model run: in the server's own process those that are cheap enough, or in an engine process all of them. */
export interface Placement {
  /** What decides whether a run is cheap enough; absent: none ever is. */
  readonly inline?: RowCosts;
  /** Why all calls run in engine processes now; empty: not all of them do. */
  readonly why: readonly string[];
}

/** Inputs to run a model on, in the order of the signature. */
export type Trial = readonly Tensor[];

/** What an import found out about a model. */
export interface ImportReport {
  readonly engine: EngineName;
  readonly signature: Signature;
  /**
   * Why what a run takes may depend on more than the shapes of its inputs, in words; empty where it does not. How much that is for given
   * shapes only a run tells: operators in a row may still make much of little.
   */
  readonly unbounded: readonly string[];
  /** What the weights and constants of the model take. */
  readonly initializerBytes: number;
  /** What was done to the file before the engine got it, by name; it is done again at every load. */
  readonly options: Readonly<Record<string, string>>;
  /** The classes that the model itself names, in the order of its columns of probabilities. */
  readonly labels?: readonly (string | number)[];
  readonly measured: Measured;
  /** What the model gave for each of the trials, all outputs in the order of the signature; or why it gave nothing. */
  readonly trials: readonly (readonly Tensor[] | { readonly reason: string })[];
}

/** One run of a model. */
export interface EngineRun {
  readonly inputs: readonly Tensor[];
  /** Names of the wanted outputs, in the wanted order. */
  readonly outputs: readonly string[];
  /** How long the engine may take, milliseconds, from its start on. */
  readonly engineDeadlineMs: number;
  /**
   * Whether each of its parts will be run by itself should it end the engine process: those tell whose fault it was, and count against the
   * model. Absent: it has none.
   */
  readonly runsInParts?: () => boolean;
}

/**
 * Tells what to run as soon as an engine is free for it, so that what came meanwhile can be part of it; undefined: nothing any more. Asked
 * again where the engine process ended: the run may be another one then.
 */
export type NextRun = () => EngineRun | undefined;

/** What a run gave; nothing, where there was nothing to run. */
export interface EngineAnswer {
  readonly outputs: readonly Tensor[];
  /** Milliseconds that the engine took. */
  readonly inferMs: number;
}

/** The answer to nothing. */
export const NOTHING: EngineAnswer = { outputs: [], inferMs: 0 };

/** A model in memory, ready to answer. */
export interface LoadedModel {
  /** @throws InferenceFailed, EngineDeadlineExceeded, EngineCrashed, ModelQuarantined */
  run(next: NextRun): Promise<EngineAnswer>;
  /** Frees the memory. A `run` after it loads the model again. */
  unload(): Promise<void>;
}

/** Turns model files into models that answer. The only room that knows an engine's library. */
export abstract class ModelRuntime {
  /** What measurements are true for: the engines, their versions, and the processor. */
  abstract readonly machine: string;

  /**
   * Looks at files that nobody vouches for, in a process of its own: walks through them, loads them, reads the signature, runs and times it.
   * @param trials what else it is run on; may throw
   * @throws ModelRefused, ImportDeadlineExceeded, and what `trials` throws
   */
  abstract import(file: ModelFile, trials?: (signature: Signature) => readonly Trial[]): Promise<ImportReport>;

  /** Where calls of a model would run, if it were loaded now. */
  abstract place(facts: PlacementFacts): Placement;

  /** Loads a model and warms it up. @throws ModelRefused, ModelDamaged, ModelQuarantined, EngineDeadlineExceeded, EngineCrashed */
  abstract load(file: ModelFile): Promise<LoadedModel>;
}
