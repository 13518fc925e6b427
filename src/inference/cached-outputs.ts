import { ValueForm } from '../cache/value-form';
import type { Tensor, TensorData } from '../runtime/tensor';
import { TensorReader, TensorWriter } from './tensor-bytes';

/** What the bytes begin with; another number where their form changes, so that nobody reads what an older or newer server wrote. */
const FORM = 0x6170_6901;
/** What a tensor, and a text, take in memory besides their elements, as far as that can be told. */
const TENSOR_BYTES = 320;
const TEXT_BYTES = 24;

const writer = new TensorWriter();

/** The outputs of an answer as a cache holds them. They are shared by all who are answered from it: nobody may change them. */
export class CachedOutputs extends ValueForm<readonly Tensor[]> {
  override bytesOf(outputs: readonly Tensor[]): number {
    return outputs.reduce((sum, { name, data }) => sum + TENSOR_BYTES + 2 * name.length + dataBytes(data), 0);
  }

  override encode(outputs: readonly Tensor[]): Uint8Array {
    writer.begin().number(FORM);
    writer.number(outputs.length);
    for (const output of outputs) writer.tensor(output);
    const bytes = Uint8Array.from(writer.written);
    writer.begin();
    return bytes;
  }

  /** @throws RangeError, TypeError where `encode` did not give these bytes */
  override decode(bytes: Uint8Array): readonly Tensor[] {
    const reader = new TensorReader(bytes);
    if (reader.count() !== FORM) throw new RangeError('outputs in another form');
    const outputs = Array.from({ length: reader.count(bytes.length) }, () => reader.tensor());
    reader.end();
    return outputs;
  }
}

/** Outputs that own their memory: a view would keep all of the batch that it is a part of. */
export function ownOutputs(outputs: readonly Tensor[]): readonly Tensor[] {
  return outputs.map((output) => ({ ...output, data: output.data.slice() }));
}

function dataBytes(data: TensorData): number {
  return 'byteLength' in data ? data.byteLength : data.reduce((sum, text) => sum + TEXT_BYTES + 2 * text.length, 0);
}
