import type { Known } from './bounded-operators';
import { attributeName, type NodeProto } from './node-proto';
import { DEFAULT_DOMAIN } from './operator';
import { Fields } from './protobuf';
import { readTensor } from './tensor-proto';

/** No shape, pads or scales have more numbers than this. */
const MAX_NUMBERS = 64;

const FIXED: Readonly<Record<number, { readonly size: number; readonly read: (view: DataView, at: number) => number }>> = {
  1: { size: 4, read: (view, at) => view.getFloat32(at, true) },
  6: { size: 4, read: (view, at) => view.getInt32(at, true) },
  7: { size: 8, read: (view, at) => Number(view.getBigInt64(at, true)) },
  11: { size: 8, read: (view, at) => view.getFloat64(at, true) },
};

/** The constants of one graph: its initializers, and what its Constant nodes give. */
export class Constants {
  private readonly sources = new Map<string, (() => readonly number[] | undefined) | undefined>();
  /** what was read: once, as many nodes may name one large tensor */
  private readonly numbers = new Map<string, readonly number[] | undefined>();

  /** @param initializers the bytes of each TensorProto, which `readTensor` has been through; undefined for what is not to be looked into */
  constructor(initializers: ReadonlyMap<string, Uint8Array | undefined>) {
    for (const [name, tensor] of initializers) this.add(name, tensor && (() => numbersOfTensor(tensor)));
  }

  /** Takes up what a node gives: a constant, or a name that stands for none. */
  addOutputs({ operator, outputs, attributes }: NodeProto): void {
    const [attribute] = attributes;
    const constant = operator.domain === DEFAULT_DOMAIN && operator.name === 'Constant' && attributes.length === 1;
    for (const name of outputs) this.add(name, constant && attribute ? () => numbersOfAttribute(attribute) : undefined);
  }

  /** What is known of a node's numbers before any run. */
  of({ inputs, attributes }: NodeProto): Known {
    return {
      input: (at) => (inputs[at] ? this.numbersOf(inputs[at]) : []),
      attribute: (name) => {
        const found = attributes.find((attribute) => attributeName(attribute) === name);
        return found && numbersOfAttribute(found);
      },
    };
  }

  private numbersOf(name: string): readonly number[] | undefined {
    if (!this.numbers.has(name)) this.numbers.set(name, this.sources.get(name)?.());
    return this.numbers.get(name);
  }

  /** A name that is given twice stands for no constant. */
  private add(name: string, read: (() => readonly number[] | undefined) | undefined): void {
    this.sources.set(name, this.sources.has(name) ? undefined : read);
  }
}

/** The numbers of f 2, i 3, t 5, floats 7 and ints 8 of an AttributeProto; undefined for other tensors, and where there are too many. */
function numbersOfAttribute(source: Uint8Array): readonly number[] | undefined {
  const fields = new Fields(source);
  const numbers: number[] = [];
  while (fields.next()) {
    if (fields.number === 5 || fields.number === 22) return fields.number === 5 ? numbersOfTensor(fields.bytes) : undefined;
    if (fields.number === 2 || fields.number === 7) numbers.push(...fixedNumbers(1, fields.fixedBytes(4)));
    else if (fields.number === 3 || fields.number === 8) numbers.push(...varints(fields));
    if (numbers.length > MAX_NUMBERS) return undefined;
  }
  return numbers;
}

function numbersOfTensor(source: Uint8Array): readonly number[] | undefined {
  const { dataType, elements } = readTensor(source, () => '');
  if (elements > MAX_NUMBERS || FIXED[dataType] === undefined) return undefined;
  const fields = new Fields(source);
  const numbers: number[] = [];
  while (fields.next()) {
    if (fields.number === 9) numbers.push(...fixedNumbers(dataType, fields.bytes));
    else if (fields.number === 4) numbers.push(...fixedNumbers(1, fields.fixedBytes(4)));
    else if (fields.number === 10) numbers.push(...fixedNumbers(11, fields.fixedBytes(8)));
    else if (fields.number === 5 || fields.number === 7) numbers.push(...varints(fields));
  }
  return numbers;
}

const varints = (fields: Fields): readonly number[] => {
  return fields.varints > MAX_NUMBERS ? Array<number>(MAX_NUMBERS + 1).fill(Number.NaN) : fields.int64s.map(Number);
};

function fixedNumbers(dataType: number, bytes: Uint8Array): readonly number[] {
  const { size, read } = FIXED[dataType] as (typeof FIXED)[1];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: Math.min(bytes.length / size, MAX_NUMBERS + 1) }, (_, at) => read(view, at * size));
}
