import { elementSink, type ElementSink } from '../../runtime/elements';
import { type Datatype, elementsOf, type TensorData } from '../../runtime/tensor';
import { DataContradictsShape } from './open-inference.errors';

/** The greatest doubles that still round to a finite number. */
const FINITE = { FP32: 3.4028235677973366e38, FP64: Number.MAX_VALUE } as const;

interface Declared {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
}

/** Puts the elements of one array that holds no arrays where they belong. @param offset of the first  @param path of the array */
type FillRow = (row: readonly unknown[], offset: number, path: () => string) => void;

/**
 * The elements of a tensor from JSON, flat or nested as deep as the shape is long. Null is NaN where the datatype has it. Counted before
 * room is made for them: a shape alone takes no memory.
 * @throws DataContradictsShape, InvalidValue, NumberNotRepresentable, TextNotRepresentable
 */
export function elementsFromJson({ name, datatype, shape }: Declared, data: readonly unknown[]): TensorData {
  const length = elementsOf(shape);
  const field = `${name}.data`;
  const nested = shape.length > 1 && Array.isArray(data[0]);
  if (nested) refuseNesting(data, shape, 0, field);
  else if (data.length !== length)
    throw new DataContradictsShape(field, `${length} elements for ${shown(shape)}`, `${data.length} elements`);
  const { elements, fill } = room(datatype, length);
  if (nested) fillNested(fill, data, shape, 0, 0, () => field);
  else fill(data, 0, () => field);
  return elements;
}

/** A shape as errors tell it. */
export function shown(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}

function refuseNesting(value: unknown, shape: readonly number[], depth: number, path: string): void {
  const wanted = shape[depth] as number;
  if (!Array.isArray(value)) throw new DataContradictsShape(path, `an array of ${wanted} for ${shown(shape)}`, `no array`);
  if (value.length !== wanted) {
    throw new DataContradictsShape(path, `an array of ${wanted} for ${shown(shape)}`, `an array of ${value.length}`);
  }
  if (depth + 1 === shape.length) return;
  for (let at = 0; at < value.length; at++) refuseNesting(value[at], shape, depth + 1, `${path}[${at}]`);
}

function fillNested(
  fill: FillRow,
  value: readonly unknown[],
  shape: readonly number[],
  depth: number,
  offset: number,
  path: () => string,
): void {
  if (depth + 1 === shape.length) return fill(value, offset, path);
  const step = elementsOf(shape.slice(depth + 1));
  for (let at = 0; at < value.length; at++) {
    fillNested(fill, value[at] as readonly unknown[], shape, depth + 1, offset + at * step, () => `${path()}[${at}]`);
  }
}

function room(datatype: Datatype, length: number): { readonly elements: TensorData; readonly fill: FillRow } {
  const sink = elementSink(datatype, length);
  if (datatype === 'FP32' || datatype === 'FP64') return floats(datatype, sink);
  return { elements: sink.data, fill: (row, offset, path) => fillBySink(sink, row, offset, path) };
}

function fillBySink(sink: ElementSink, row: readonly unknown[], offset: number, path: () => string): void {
  let at = 0;
  const where = (): string => `${path()}[${at}]`;
  for (; at < row.length; at++) sink.set(offset + at, row[at], where);
}

/** The common case in one loop; what is no plain number goes the long way. */
function floats(datatype: 'FP32' | 'FP64', sink: ElementSink): { readonly elements: TensorData; readonly fill: FillRow } {
  const elements = sink.data as Float32Array | Float64Array;
  const limit = FINITE[datatype];
  const fill: FillRow = (row, offset, path) => {
    let at = 0;
    const where = (): string => `${path()}[${at}]`;
    for (; at < row.length; at++) {
      const value = row[at];
      if (typeof value === 'number' && value < limit && value > -limit) elements[offset + at] = value;
      else if (value === null) elements[offset + at] = Number.NaN;
      else sink.set(offset + at, value, where);
    }
  };
  return { elements, fill };
}
