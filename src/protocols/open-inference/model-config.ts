import type { VersionRecord } from '../../models/registry/registry-records';
import type { TensorSpec } from '../../runtime/tensor';

/** https://github.com/triton-inference-server/common, protobuf/model_config.proto, as far as a client reads it. */
export interface ModelConfig {
  readonly name: string;
  readonly platform: string;
  readonly backend: string;
  readonly version_policy: object;
  /** 0: the shapes below are whole, whatever their first dimension means. */
  readonly max_batch_size: 0;
  readonly input: readonly ConfigTensor[];
  readonly output: readonly ConfigTensor[];
  readonly model_transaction_policy: { readonly decoupled: false };
}

interface ConfigTensor {
  readonly name: string;
  readonly data_type: string;
  readonly dims: readonly number[];
}

const PLATFORMS = {
  onnx: { platform: 'onnxruntime_onnx', backend: 'onnxruntime' },
  tfjs: { platform: 'tensorflowjs', backend: 'tensorflowjs' },
} as const;

/** A version as the file of settings would describe it that Triton wants for each model. */
export function configOf({ model, version, engine, signature }: VersionRecord): ModelConfig {
  return {
    name: model,
    ...PLATFORMS[engine],
    version_policy: { specific: { versions: [version] } },
    max_batch_size: 0,
    input: signature.inputs.map(tensor),
    output: signature.outputs.map(tensor),
    model_transaction_policy: { decoupled: false },
  };
}

function tensor({ name, datatype, shape }: TensorSpec): ConfigTensor {
  return { name, data_type: datatype === 'BYTES' ? 'TYPE_STRING' : `TYPE_${datatype}`, dims: shape };
}
