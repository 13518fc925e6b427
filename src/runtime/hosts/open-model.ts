import { readChecked } from '../checked-file';
import type { OpenedModel } from '../engine-model';
import type { ModelSource } from '../model-runtime.port';
import { openOnnx } from '../onnx/onnx-file';
import { OnnxModel, startEngine } from '../onnx/onnx-model';

/** Operators of ONNX that draw by chance. */
const RANDOM = /^(Random(Normal|Uniform)(Like)?|Bernoulli|Multinomial)$/;

/** Walks through the files of a model, before its engine sees a byte of them. @throws EngineError, Damaged */
export async function openModel(source: ModelSource): Promise<OpenedModel> {
  if (source.engine !== 'tfjs') return openedOnnx(await readChecked(source));
  // the library of this engine takes 25 MB and a quarter of a second: only in the processes that run its models
  const { openTfjs } = require('../tfjs/tfjs-file') as typeof import('../tfjs/tfjs-file');
  return openTfjs(source);
}

function openedOnnx(file: Uint8Array): OpenedModel {
  const { bytes, facts, options, labels } = openOnnx(file);
  const { unbounded, initializerBytes, operators } = facts;
  return {
    report: { engine: 'onnx', unbounded, initializerBytes, options, ...(labels && { labels }) },
    random: operators.some((operator) => RANDOM.test(operator)),
    startEngine,
    load: () => OnnxModel.loadWarm(bytes),
  };
}
