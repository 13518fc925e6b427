import { EngineError } from '../engine-model';

/** What is wrong with the files of a TensorFlow.js model: a sentence that names the file, the layer or the node, and says what to do. */
export class TfjsRefused extends EngineError {}
