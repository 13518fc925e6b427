import { type Datatype, elementsOf, emptyData, type Tensor } from '../../src/runtime/tensor';

type Element = number | bigint | string;

/** A tensor as a careful client writes it: nested lists, every digit of every number. */
export function writeNested({ datatype, data, shape }: Tensor, text: (element: Element) => string = textOf(datatype)): string {
  const write = (start: number, [length, ...inner]: readonly number[]): string => {
    if (length === undefined) return text(data[start] as Element);
    const step = elementsOf(inner);
    return `[${Array.from({ length }, (_, at) => write(start + at * step, inner)).join(',')}]`;
  };
  return write(0, shape);
}

/** How an element is written. */
export function textOf(datatype: Datatype): (element: Element) => string {
  if (datatype === 'BOOL') return (element) => (element === 1 ? 'true' : 'false');
  if (datatype === 'BYTES') return (element) => JSON.stringify(element);
  return (element) => (Object.is(element, -0) ? '-0.0' : String(element)); // a float32 as all digits of its double
}

const parseWithSource = JSON.parse as (
  text: string,
  reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
) => unknown;

/** Parses an answer; whole numbers as bigints where `exact`. */
export function parseAnswer(text: string, exact: boolean): unknown {
  return exact ? parseWithSource(text, (_, value, { source }) => (typeof value === 'number' ? BigInt(source as string) : value)) : JSON.parse(text); // prettier-ignore
}

/** Nested lists, as a client reads them, as a tensor again. @throws where they have another shape */
export function readNested(value: unknown, { name, datatype, shape }: Omit<Tensor, 'data'>): Tensor {
  const data = emptyData(datatype, elementsOf(shape));
  let next = 0;
  const read = (level: unknown, [length, ...inner]: readonly number[]): void => {
    if (length === undefined) return void ((data as { [at: number]: unknown })[next++] = elementOf(level, datatype));
    if (!Array.isArray(level) || level.length !== length) throw new Error(`no list of ${length}: ${JSON.stringify(level)}`);
    for (const each of level) read(each, inner);
  };
  read(value, shape);
  return { name, datatype, shape, data };
}

function elementOf(value: unknown, datatype: Datatype): unknown {
  const type = datatype === 'BOOL' ? 'boolean' : datatype === 'BYTES' ? 'string' : datatype.endsWith('INT64') ? 'bigint' : 'number';
  if (typeof value !== type) throw new Error(`no ${type}: ${JSON.stringify(value)}`);
  return typeof value === 'boolean' ? Number(value) : value;
}

/** Whether two tensors are one bit for bit. */
export function sameBits(a: Tensor, b: Tensor): boolean {
  if (a.data.length !== b.data.length) return false;
  if (!ArrayBuffer.isView(a.data) || !ArrayBuffer.isView(b.data))
    return (a.data as readonly string[]).every((text, at) => text === b.data[at]);
  return Buffer.from(a.data.buffer).equals(Buffer.from(b.data.buffer));
}
