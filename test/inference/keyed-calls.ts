import type { KeyedCall } from '../../src/inference/prediction-key';
import { type Datatype, elementsOf, type Tensor, type TensorData } from '../../src/runtime/tensor';
import type { Random } from '../open-inference/random';

type KeyOf = (call: KeyedCall) => string;

/** Of so many pairs of calls, the first that `keyOf` takes for equal where they are not, or for different where they are equal. */
export function firstConfusion(keyOf: KeyOf, pairs: number, random: Random): string | undefined {
  for (let pair = 0; pair < pairs; pair++) {
    const one = randomCall(random);
    const other = random.chance(4) ? randomCall(random) : random.pick(CHANGES)(one, random);
    const [a, b] = [meaningOf(one), meaningOf(other)];
    if ((keyOf(one) === keyOf(other)) !== (a === b)) return `${a}\n${b}`;
  }
  return undefined;
}

/** A call with one part of it left out: a key of what is left is not sound. */
export const LEFT_OUT: Readonly<Record<string, (call: KeyedCall) => KeyedCall>> = {
  'without the executable': (call) => ({ ...call, executable: '' }),
  'without shapes': withInputs((input) => ({ ...input, shape: [] })),
  'without datatypes': withInputs((input) => ({ ...input, datatype: 'UINT8', data: bytesOf(input.data) })),
  'without names': withInputs((input) => ({ ...input, name: '' })),
  'without elements': withInputs((input) => ({ ...input, data: [] })),
  'without an end to a name': withInputs((input) => ({
    ...input,
    name: '',
    data: Buffer.concat([Buffer.from(input.name), bytesOf(input.data)]),
  })),
  'without an end to a text': withInputs((input) => ({ ...input, data: Array.isArray(input.data) ? [input.data.join('')] : input.data })),
  'of numbers instead of bits': withInputs((input) => ({ ...input, data: Array.from(input.data as ArrayLike<unknown>, String) })),
  'without the wanted outputs': ({ outputs: _, ...call }) => call,
  'of all outputs by their names': (call) => ({ ...call, outputs: call.outputs ?? call.signature.outputs.map(({ name }) => name) }),
  'of inputs as they came': (call) => ({ ...call, signature: { ...call.signature, inputs: call.inputs } }),
};

/** All that a call asks, in another way than a key tells it: nothing is lost, and all is in an order of its own. */
function meaningOf({ executable, signature, inputs, outputs }: KeyedCall): string {
  const told = signature.inputs.map(({ name }) => {
    const { datatype, shape, data } = inputs.find((input) => input.name === name) as Tensor;
    return [name, datatype, shape, 'byteLength' in data ? bytesOf(data).toString('hex') : data];
  });
  return JSON.stringify([executable, told, outputs ?? 'all']);
}

function withInputs(change: (input: Tensor) => Tensor): (call: KeyedCall) => KeyedCall {
  return (call) => {
    const inputs = call.signature.inputs.map(({ name }) => change(call.inputs.find((input) => input.name === name) as Tensor));
    return { ...call, inputs, signature: { ...call.signature, inputs } };
  };
}

const NAMES = ['x', 'xy', 'y', '', 'a', 'é', 'e\u0301'];
const TEXTS = ['', '1', 'a', 'b', 'ab', 'bc', 'c', 'y', '\u0000', 'é'];
const OUTPUTS = ['label', 'p', 'pl', 'abel'];

const SIZES = { UINT8: Uint8Array, FP16: Uint16Array, INT32: Int32Array, FP32: Float32Array, INT64: BigInt64Array, FP64: Float64Array };

/** Out of so few that equal ones are not rare. */
function randomCall(random: Random): KeyedCall {
  const names = shuffled(NAMES, random).slice(0, 1 + random.below(3));
  const inputs = names.map((name) => randomInput(name, random));
  const signature = { inputs, outputs: OUTPUTS.map((name) => ({ name, datatype: 'FP32' as const, shape: [-1] })) };
  const wanted = random.chance(2) ? {} : { outputs: shuffled(OUTPUTS, random).slice(0, 1 + random.below(OUTPUTS.length)) };
  return { executable: random.pick(['0'.repeat(64), 'f'.repeat(64)]), signature, inputs: shuffled(inputs, random), ...wanted };
}

function randomInput(name: string, random: Random): Tensor {
  const shape = Array.from({ length: random.below(4) }, () => random.below(4));
  const datatype = random.pick([...Object.keys(SIZES), 'BYTES'] as Datatype[]);
  return { name, datatype, shape, data: randomData(datatype, elementsOf(shape), random) };
}

function randomData(datatype: Datatype, length: number, random: Random): TensorData {
  if (datatype === 'BYTES') return Array.from({ length }, () => random.pick(TEXTS));
  const Elements = SIZES[datatype as keyof typeof SIZES];
  const data = new Elements(length);
  const bytes = new Uint8Array(data.buffer);
  // mostly nought: bits that differ in one place only are what keys are confused by
  for (let at = 0; at < bytes.length; at++)
    bytes[at] = random.chance(3) ? random.pick([0x7f, 0x80, 0xff, 0xc0, 0xf0, 0x31, random.below(256)]) : 0;
  return data;
}

type ChangeOf = (call: KeyedCall, random: Random) => KeyedCall;

/** What makes a call another one, in one part of it; and what does not. */
const CHANGES: readonly ChangeOf[] = [
  (call) => ({ ...call, inputs: call.inputs.toReversed() }), // the same
  (call) => ({ ...call, inputs: call.inputs.map((input) => ({ ...input, data: input.data.slice() })) }), // the same
  (call) => ({ ...call, executable: call.executable.startsWith('0') ? 'f'.repeat(64) : '0'.repeat(64) }),
  (call) =>
    call.outputs ? { ...call, outputs: call.outputs.toReversed() } : { ...call, outputs: call.signature.outputs.map(({ name }) => name) },
  (call, random) => ({ ...call, outputs: [random.pick(OUTPUTS)] }),
  changed(reshaped),
  changed(recast),
  changed(flipped),
  changed(signed),
  changed(notANumber),
  changed(boundaryMoved),
  changed(asText),
  renamed,
  swapped,
];

/** One of the inputs is another one. */
function changed(change: (input: Tensor, random: Random) => Tensor): ChangeOf {
  return (call, random) => {
    const chosen = random.below(call.inputs.length);
    const inputs = call.inputs.map((input, at) => (at === chosen ? change(input, random) : input));
    return { ...call, inputs };
  };
}

function reshaped(input: Tensor, random: Random): Tensor {
  const { length } = input.data;
  return { ...input, shape: random.pick([[length], [1, length], [length, 1], [...input.shape].toReversed(), [...input.shape, 1]]) };
}

/** The same bytes as another datatype, and where it can be as many of them. */
function recast(input: Tensor): Tensor {
  const other = { FP32: 'INT32', INT32: 'FP32', FP64: 'INT64', INT64: 'FP64', FP16: 'UINT8', UINT8: 'FP16', BYTES: 'BYTES' } as const;
  const datatype = other[input.datatype as keyof typeof other];
  if (datatype === 'BYTES') return input;
  const Elements = SIZES[datatype];
  const bytes = Uint8Array.from(bytesOf(input.data));
  const whole = bytes.length - (bytes.length % Elements.BYTES_PER_ELEMENT);
  return { ...input, datatype, data: new Elements(bytes.buffer.slice(0, whole)) };
}

function flipped(input: Tensor, random: Random): Tensor {
  if (!('byteLength' in input.data) || input.data.byteLength === 0) return input;
  const data = input.data.slice() as Uint8Array;
  const bytes = new Uint8Array(data.buffer);
  const at = random.below(bytes.length);
  bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
  return { ...input, data };
}

/** 0 and -0. */
function signed(input: Tensor, random: Random): Tensor {
  if (!(input.data instanceof Float32Array || input.data instanceof Float64Array) || input.data.length === 0) return input;
  const data = input.data.slice();
  const at = random.below(data.length);
  data[at] = data[at] === 0 ? (Object.is(data[at], 0) ? -0 : 0) : -(data[at] as number);
  return { ...input, data };
}

/** One NaN and another: what they carry differs. */
function notANumber(input: Tensor, random: Random): Tensor {
  if (!(input.data instanceof Float32Array) || input.data.length === 0) return input;
  const data = input.data.slice();
  new Uint32Array(data.buffer)[random.below(data.length)] = 0x7fc0_0000 + random.below(3);
  return { ...input, data };
}

/** `["a", "bc"]` and `["ab", "c"]`. */
function boundaryMoved(input: Tensor, random: Random): Tensor {
  if ('byteLength' in input.data || input.data.length < 2) return input;
  const whole = input.data.join('');
  const cuts = Array.from({ length: input.data.length - 1 }, () => random.below(whole.length + 1)).toSorted((a, b) => a - b);
  return { ...input, data: [0, ...cuts].map((from, at) => whole.slice(from, cuts[at])) };
}

/** `1` and `"1"`. */
function asText(input: Tensor): Tensor {
  if (!('byteLength' in input.data)) return input;
  return { ...input, datatype: 'BYTES', data: Array.from(input.data as ArrayLike<unknown>, String) };
}

/** A piece of what stands behind the name becomes part of it, where that is text; else the name is another one. */
function renamed(call: KeyedCall, random: Random): KeyedCall {
  const chosen = random.pick(call.inputs);
  const [text = ''] = 'byteLength' in chosen.data ? [] : chosen.data;
  const name = `${chosen.name}${text.slice(0, 1) || 'z'}`;
  if (call.inputs.some((input) => input.name === name)) return call;
  const data = 'byteLength' in chosen.data ? chosen.data : [text.slice(1), ...chosen.data.slice(1)];
  const become = <T extends { readonly name: string }>(each: T, to: T): T => (each.name === chosen.name ? to : each);
  const input = { ...chosen, name, data: chosen.data.length === 0 ? chosen.data : data };
  return {
    ...call,
    inputs: call.inputs.map((each) => become(each, input)),
    signature: { ...call.signature, inputs: call.signature.inputs.map((spec) => become(spec, { ...spec, name })) },
  };
}

/** Two inputs take each other's place. */
function swapped(call: KeyedCall): KeyedCall {
  const [first, second, ...rest] = call.inputs;
  if (first === undefined || second === undefined) return call;
  return { ...call, inputs: [{ ...first, name: second.name }, { ...second, name: first.name }, ...rest] };
}

function bytesOf(data: TensorData): Buffer {
  return 'byteLength' in data ? Buffer.from(data.buffer, data.byteOffset, data.byteLength) : Buffer.from(data.join('\u0000'));
}

function shuffled<T>(values: readonly T[], random: Random): T[] {
  const rest = [...values];
  return values.map(() => rest.splice(random.below(rest.length), 1)[0] as T);
}
