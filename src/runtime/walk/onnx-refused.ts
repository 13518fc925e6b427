import { EngineError } from '../engine-model';

/** What the walk over a file found that no engine shall see: a sentence that names it and says what to do. */
export class OnnxRefused extends EngineError {}
