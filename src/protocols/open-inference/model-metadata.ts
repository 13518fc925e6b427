import type { ModelRecord, VersionRecord } from '../../models/registry/registry-records';
import type { TensorSpec } from '../../runtime/tensor';

/** https://github.com/kserve/open-inference-protocol, "Model Metadata Response JSON Object". */
export interface ModelMetadataAnswer {
  readonly name: string;
  /** All versions of the model, as text. */
  readonly versions: readonly string[];
  readonly platform: string;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly properties: Readonly<Record<string, string>>;
}

const PLATFORMS = { onnx: 'onnx_onnxv1', tfjs: 'tensorflowjs' } as const;

/** What one version takes and gives, and what the protocol wants to know beside it. */
export function metadataAnswer({ name, versions }: ModelRecord, version: VersionRecord): ModelMetadataAnswer {
  const { signature, engine, digest, executable, stage } = version;
  return {
    name,
    versions: [...versions.keys()].map(String),
    platform: PLATFORMS[engine],
    inputs: signature.inputs,
    outputs: signature.outputs,
    properties: { version: String(version.version), stage, digest, executable },
  };
}
