import { cpus } from 'node:os';
import { version as tfjs } from '@tensorflow/tfjs-core/package.json';
import { version as onnxruntime } from 'onnxruntime-node/package.json';

/** What measurements of models are true for: the engines, their versions, and the processor. */
export const MACHINE = `onnxruntime ${onnxruntime}, tfjs ${tfjs} on ${cpus()[0]?.model.trim() || process.arch}`;
