import { EngineError } from '../engine-model';

/** The engine library's own word for why a model or an input was no good. */
export class OnnxError extends EngineError {}
