import { OnnxRefused } from './onnx-refused';
import { Fields } from './protobuf';
import { elementsOf, readTensor, type TensorProto } from './tensor-proto';

const INT64 = 7;
const MAX_DIMS = 16;

/**
 * Reads SparseTensorProto of onnx.proto: values 1 [n], indices 2 [n] or [n, rank], dims 3. @returns the name of its values, and the
 * memory that it takes, as the engine unpacks it to a dense tensor when it loads. @throws OnnxRefused, NotProtobuf
 */
export function readSparseTensor(source: Uint8Array, place: (name: string) => string): Pick<TensorProto, 'name' | 'bytes'> {
  const fields = new Fields(source);
  const dims: bigint[] = [];
  let values: TensorProto | undefined;
  let indices: TensorProto | undefined;
  while (fields.next()) {
    if (fields.number === 1) values = readTensor(fields.only, (name) => `the values of ${place(name)}`);
    else if (fields.number === 2) indices = readTensor(fields.only, (name) => `the indices of ${place(name)}`);
    else if (fields.number === 3 && dims.length + fields.varints <= MAX_DIMS) dims.push(...fields.int64s);
    else if (fields.number === 3) throw new OnnxRefused(`${place('')} has more than ${MAX_DIMS} dims`);
  }
  const name = values?.name ?? '';
  const elements = elementsOf(dims);
  if (elements === undefined) throw new OnnxRefused(`${place(name)} has the dims [${dims.join()}]: they are negative or too large`);
  if (values === undefined || !fits(values, indices, dims.length) || values.elements > elements) {
    throw new OnnxRefused(`${place(name)} has values and indices that do not fit its dims: save it as a dense tensor`);
  }
  const each = values.elements === 0 ? 8 : values.bytes / values.elements;
  return { name, bytes: Math.ceil(elements * each) };
}

function fits({ dims, elements }: TensorProto, indices: TensorProto | undefined, rank: number): boolean {
  if (dims.length !== 1) return false;
  if (indices === undefined) return elements === 0;
  const [rows, columns = 1] = indices.dims;
  return indices.dataType === INT64 && indices.dims.length <= 2 && rows === elements && (columns === 1 || columns === rank);
}
