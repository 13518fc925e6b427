import { cpus } from 'node:os';
import { version } from 'onnxruntime-node/package.json';

/** What measurements of models are true for: the engine, its version, and the processor. */
export const MACHINE = `onnxruntime ${version} on ${cpus()[0]?.model.trim() || process.arch}`;
