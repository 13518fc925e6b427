import type { VersionRecord } from '../../models/registry/registry-records';
import type { Datatype, TensorSpec } from '../../runtime/tensor';

const DTYPES = {
  BOOL: 'DT_BOOL',
  UINT8: 'DT_UINT8',
  UINT16: 'DT_UINT16',
  UINT32: 'DT_UINT32',
  UINT64: 'DT_UINT64',
  INT8: 'DT_INT8',
  INT16: 'DT_INT16',
  INT32: 'DT_INT32',
  INT64: 'DT_INT64',
  FP16: 'DT_HALF',
  FP32: 'DT_FLOAT',
  FP64: 'DT_DOUBLE',
  BYTES: 'DT_STRING',
} as const satisfies Record<Datatype, string>;

/** What a version takes and gives, as a SavedModel would tell it: with the one signature that every model has here. */
export function modelSpec({ model, version, signature }: Pick<VersionRecord, 'model' | 'version' | 'signature'>): object {
  const served = {
    inputs: tensorInfos(signature.inputs),
    outputs: tensorInfos(signature.outputs),
    method_name: 'tensorflow/serving/predict',
    defaults: {},
  };
  return {
    model_spec: { name: model, signature_name: '', version: String(version) },
    metadata: { signature_def: { signature_def: { serving_default: served } } },
  };
}

function tensorInfos(specs: readonly TensorSpec[]): object {
  return Object.fromEntries(specs.map((spec) => [spec.name, tensorInfo(spec)]));
}

function tensorInfo({ name, datatype, shape }: TensorSpec): object {
  const dim = shape.map((size) => ({ size: String(size), name: '' }));
  return { dtype: DTYPES[datatype], tensor_shape: { dim, unknown_rank: false }, name: `${name}:0` };
}
