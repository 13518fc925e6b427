import { elementsOf, emptyData, type Tensor, type TensorData } from '../runtime/tensor';
import type { WaitingCall } from './waiting-call';

type Numbers = Exclude<TensorData, readonly string[]>;

/** The inputs of calls of one form as those of one run: their rows, one call's after another's. */
export function joinInputs(calls: readonly WaitingCall[]): readonly Tensor[] {
  const [first] = calls as readonly [WaitingCall];
  if (calls.length === 1) return first.call.inputs;
  const rows = rowsOf(calls);
  return first.call.inputs.map((input) => {
    const parts = calls.map(({ call }) => (call.inputs.find(({ name }) => name === input.name) as Tensor).data);
    return { ...input, shape: [rows, ...input.shape.slice(1)], data: concatenated(input, rows, parts) };
  });
}

/** The outputs of a run, for each of its calls the rows that are its own. */
export function splitOutputs(outputs: readonly Tensor[], calls: readonly WaitingCall[]): readonly (readonly Tensor[])[] {
  if (calls.length === 1) return [outputs];
  let from = 0;
  return calls.map(({ rows }) => {
    const own = outputs.map((output) => rowsFrom(output, from, rows));
    from += rows;
    return own;
  });
}

/** How many rows calls have together. */
export function rowsOf(calls: readonly WaitingCall[]): number {
  return calls.reduce((sum, { rows }) => sum + rows, 0);
}

function concatenated({ datatype, shape }: Tensor, rows: number, parts: readonly TensorData[]): TensorData {
  if (datatype === 'BYTES') return (parts as readonly (readonly string[])[]).flat();
  const whole = emptyData(datatype, rows * elementsOf(shape.slice(1))) as Float32Array;
  let at = 0;
  for (const part of parts as readonly Float32Array[]) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function rowsFrom(output: Tensor, from: number, rows: number): Tensor {
  const inner = output.shape.slice(1);
  const size = elementsOf(inner);
  const data = output.data as Numbers;
  return { ...output, shape: [rows, ...inner], data: data.slice(from * size, (from + rows) * size) };
}
