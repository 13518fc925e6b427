import './halves-as-bits';
import { InferenceSession, Tensor as OnnxTensor } from 'onnxruntime-node';
import type { EngineModel } from '../engine-model';
import type { Datatype, Signature, Tensor, TensorSpec } from '../tensor';
import { OnnxError } from './onnx-error';
import { zeroTensor } from '../measure/sample-tensor';

const ONNX_TYPES: Readonly<Record<string, Datatype>> = {
  bool: 'BOOL',
  uint8: 'UINT8',
  uint16: 'UINT16',
  uint32: 'UINT32',
  uint64: 'UINT64',
  int8: 'INT8',
  int16: 'INT16',
  int32: 'INT32',
  int64: 'INT64',
  float16: 'FP16',
  float32: 'FP32',
  float64: 'FP64',
  string: 'BYTES',
};
const ONNX_NAMES = new Map(Object.entries(ONNX_TYPES).map(([name, datatype]) => [datatype, name]));

const MAX_REASON = 1000;

const OPTIONS = { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 4, enableCpuMemArena: false } as const;

/** A model file whose only node gives back its only input, one FP32. */
const LEAST_MODEL = Buffer.from(
  'CAgSC29ubngtd3JpdGVyOj4KEAoBeBIBeSIISWRlbnRpdHkSCGlkZW50aXR5Wg8KAXgSCgoICAESBAoCCAFiDwoBeRIKCggIARIECgIIAUIECgAQEQ==',
  'base64',
);

/** Makes the library take the memory that every process with a model needs once, some 30 MB, so that a model can be measured. */
export async function startEngine(): Promise<void> {
  await (await InferenceSession.create(LEAST_MODEL, OPTIONS)).release();
}

/** A model in ONNX Runtime. Everything here blocks the thread that calls it: it lives in an engine host. */
export class OnnxModel implements EngineModel {
  private constructor(
    private readonly session: InferenceSession,
    readonly signature: Signature,
  ) {}

  /**
   * Loads from bytes, not from a path: the bytes are those whose hash was checked, and no file beside them can be read.
   * @throws OnnxError
   */
  static async load(bytes: Uint8Array): Promise<OnnxModel> {
    const session = await engine(() => InferenceSession.create(bytes, OPTIONS));
    try {
      return new OnnxModel(session, signatureOf(session));
    } catch (error) {
      await session.release();
      throw error;
    }
  }

  /** As `load`, and runs it once; where that fails nothing of it stays in memory. @throws OnnxError */
  static async loadWarm(bytes: Uint8Array): Promise<OnnxModel> {
    const model = await OnnxModel.load(bytes);
    try {
      await model.warmUp();
      return model;
    } catch (error) {
      await model.release();
      throw error;
    }
  }

  /** @throws OnnxError */
  async run(inputs: readonly Tensor[], outputs: readonly string[]): Promise<readonly Tensor[]> {
    const answer = await engine(() => this.session.run(feedsOf(inputs), outputs));
    return outputs.map((name) => fromOnnx(name, answer[name] as OnnxTensor));
  }

  /** Runs once on zeros, where the only free dimension is the first: what a model makes of any other size nobody knows. @throws OnnxError */
  async warmUp(): Promise<void> {
    const { inputs, outputs } = this.signature;
    if (inputs.some(({ shape }) => shape.slice(1).includes(-1))) return;
    await this.run(inputs.map((spec) => zeroTensor(spec)), outputs.map(({ name }) => name)); // prettier-ignore
  }

  release(): Promise<void> {
    return this.session.release();
  }
}

function signatureOf(session: InferenceSession): Signature {
  return { inputs: session.inputMetadata.map(specOf), outputs: session.outputMetadata.map(specOf) };
}

function specOf(metadata: InferenceSession.ValueMetadata): TensorSpec {
  const { name } = metadata;
  if (!metadata.isTensor) {
    throw new OnnxError(`"${name}" is a sequence or a map; export tensors only (scikit-learn: options={"zipmap": False})`);
  }
  const datatype = ONNX_TYPES[metadata.type];
  if (datatype === undefined) throw new OnnxError(`"${name}" has the datatype ${metadata.type}, which is not served`);
  return { name, datatype, shape: metadata.shape.map((dimension) => (typeof dimension === 'number' && dimension >= 0 ? dimension : -1)) };
}

function feedsOf(inputs: readonly Tensor[]): InferenceSession.FeedsType {
  return Object.fromEntries(inputs.map((tensor) => [tensor.name, toOnnx(tensor)]));
}

function toOnnx({ datatype, data, shape }: Tensor): OnnxTensor {
  return new OnnxTensor(ONNX_NAMES.get(datatype) as 'float32', data as Float32Array, shape);
}

function fromOnnx(name: string, tensor: OnnxTensor): Tensor {
  return { name, datatype: ONNX_TYPES[tensor.type] as Datatype, shape: tensor.dims, data: tensor.data };
}

/** The library throws errors of many kinds; what its messages tell of its own build and of this machine's folders is cut out. */
async function engine<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new OnnxError(reasonOf((cause as Error).message), { cause });
  }
}

function reasonOf(message: string): string {
  return message
    .replaceAll(/\S*\/(onnxruntime|src)\/\S+( \S+ \[[^\]]*\])?/g, '')
    .replaceAll(/(\w+ )?onnxruntime::[^\s(]+\([^)]*\)( const)?/g, '')
    .replaceAll(/\b\w+\.(cc|h):\d+/g, '')
    .replaceAll(/(?<![\w.])(\/[\w.-]+)+\/(?=[\w.-]+)/g, '')
    .replaceAll(/\s+/g, ' ')
    .trim()
    .slice(0, MAX_REASON);
}
