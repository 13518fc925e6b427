import { elementSink, type ElementSink } from './elements';
import { InvalidValue } from './runtime.errors';
import { elementsOf, type Tensor, type TensorSpec } from './tensor';

/**
 * A tensor out of parsed JSON: arrays in arrays, as deep as `shape` is long, and as long as it says (−1: as the first one is).
 * @param field where the value came from, for errors
 * @throws InvalidValue where it is not of that shape or datatype, NumberNotRepresentable
 */
export function tensorFromJson({ name, datatype, shape }: TensorSpec, value: unknown, field: string): Tensor {
  const dimensions: number[] = [];
  let level = value;
  for (const wanted of shape) {
    const length = Array.isArray(level) ? level.length : 0;
    dimensions.push(wanted === -1 ? length : wanted);
    level = Array.isArray(level) ? (level as readonly unknown[])[0] : undefined;
  }
  refuseShape(value, dimensions, field); // first: no room is made for elements that did not come
  const sink = elementSink(datatype, elementsOf(dimensions));
  fill(sink, { at: 0 }, value, dimensions, field);
  return { name, datatype, shape: dimensions, data: sink.data };
}

function refuseShape(value: unknown, [length, ...inner]: readonly number[], field: string): void {
  if (length === undefined) return;
  if (!Array.isArray(value) || value.length !== length) throw new InvalidValue(field, `an array of ${length}`, value);
  if (inner.length > 0) value.forEach((each, at) => refuseShape(each, inner, `${field}[${at}]`));
}

function fill(sink: ElementSink, next: { at: number }, value: unknown, dimensions: readonly number[], field: string): void {
  if (dimensions.length === 0) return sink.set(next.at++, value, () => field);
  const inner = dimensions.slice(1);
  for (const [at, each] of (value as readonly unknown[]).entries()) fill(sink, next, each, inner, `${field}[${at}]`);
}
