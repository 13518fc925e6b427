import { ShapeMismatch } from '../inference/inference.errors';
import type { ElementSink } from '../runtime/elements';
import { InvalidValue } from '../runtime/runtime.errors';
import { elementsOf, type Tensor, type TensorSpec } from '../runtime/tensor';
import { RaggedRows } from './protocols.errors';

/** Tells where a list or an element stood in the request, by its indices in the tensor. Called only when it has to be told. */
export type Place = (trail: readonly number[]) => string;

/** Room for the elements of a tensor. */
export type SinkOf = (spec: TensorSpec, length: number) => ElementSink;

/**
 * A tensor out of lists in lists, as deep as the shape of `spec` is long; a free dimension is as long as the first list there. Every
 * shape is looked at before room is made: none is made for elements that did not come.
 * @throws RaggedRows, ShapeMismatch, InvalidValue; as the sink does
 */
export function nestedTensor(spec: TensorSpec, value: unknown, place: Place, sinkOf: SinkOf): Tensor {
  const shape = concrete(value, spec.shape);
  refuseShape(value, shape, spec.shape, [], place);
  const sink = sinkOf(spec, elementsOf(shape));
  new Filler(sink, shape.length, place, FLOATS[spec.datatype]).fill(value);
  return { name: spec.name, datatype: spec.datatype, shape, data: sink.data };
}

function concrete(value: unknown, shape: readonly number[]): readonly number[] {
  let level = value;
  return shape.map((dimension) => {
    const list: readonly unknown[] = Array.isArray(level) ? level : [];
    level = list[0];
    return dimension === -1 ? list.length : dimension;
  });
}

function refuseShape(value: unknown, shape: readonly number[], wanted: readonly number[], trail: readonly number[], place: Place): void {
  const depth = trail.length;
  const length = shape[depth];
  if (length === undefined) return;
  const free = wanted[depth] === -1;
  if (!Array.isArray(value)) throw new InvalidValue(place(trail), free ? 'an array' : `an array of ${length}`, value);
  if (value.length !== length) {
    const details = [place(trail), `${length} values`, `${value.length} values`] as const;
    throw free ? new RaggedRows(...details) : new ShapeMismatch(...details);
  }
  if (depth + 1 === shape.length) return;
  for (let at = 0; at < length; at++) refuseShape(value[at], shape, wanted, [...trail, at], place);
}

/** The greatest number that a float certainly holds. What is beyond, or is no number, the sink decides upon. */
const FLOATS: Readonly<Partial<Record<TensorSpec['datatype'], number>>> = { FP32: 3.4028234663852886e38, FP64: Number.MAX_VALUE };

/** Puts elements of lists whose shape is known to be right where they belong, row by row. */
class Filler {
  private next = 0;
  private readonly trail: number[] = [];
  private readonly where = (): string => this.place(this.trail);

  /** @param greatest of a float; `undefined`: it is none */
  constructor(
    private readonly sink: ElementSink,
    private readonly rank: number,
    private readonly place: Place,
    private readonly greatest: number | undefined,
  ) {}

  fill(value: unknown, depth = 0): void {
    if (depth === this.rank) return this.sink.set(this.next++, value, this.where);
    const list = value as readonly unknown[];
    if (depth + 1 < this.rank) {
      for (let at = 0; at < list.length; at++) {
        this.trail[depth] = at;
        this.fill(list[at], depth + 1);
      }
    } else if (this.greatest === undefined) this.fillAny(list, depth);
    else this.fillFloats(list, depth, this.greatest);
  }

  private fillAny(list: readonly unknown[], depth: number): void {
    for (let at = 0; at < list.length; at++) {
      this.trail[depth] = at;
      this.sink.set(this.next++, list[at], this.where);
    }
  }

  private fillFloats(list: readonly unknown[], depth: number, greatest: number): void {
    const data = this.sink.data as Float64Array;
    for (let at = 0; at < list.length; at++) {
      const value = list[at];
      if (typeof value === 'number' && value <= greatest && value >= -greatest) data[this.next++] = value;
      else {
        this.trail[depth] = at;
        this.sink.set(this.next++, value, this.where);
      }
    }
  }
}
