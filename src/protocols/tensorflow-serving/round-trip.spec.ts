import { Chance } from '../../../test/crash/power-cut-random';
import { parseAnswer, readNested, sameBits, textOf, writeNested } from '../../../test/tensors/json-client';
import { randomTensor } from '../../../test/tensors/random-tensor';
import { DATATYPES, type Datatype, type Signature, type Tensor } from '../../runtime/tensor';
import { parseTensorJson } from '../../wire/strict-json';
import { encodePredict } from './predict-answer';
import { decodePredict, type Form, formOf } from './predict-request';

const TENSORS = 10_000;
const DATATYPES_OF_JSON = DATATYPES.filter((datatype) => datatype !== 'FP16');
const FORMS: readonly Form[] = ['instances', 'inputs'];
const { seed } = Chance;

describe(`a tensor (CRASH_SEED=${seed})`, () => {
  it.each(DATATYPES_OF_JSON)(`of %s comes back bit for bit, ${TENSORS} times, in rows and in columns`, (datatype) => {
    const chance = new Chance(seed);
    for (let round = 0; round < TENSORS; round++) {
      const form = FORMS[round % 2] as Form;
      const name = datatype === 'BYTES' && chance.whole(0, 3) === 0 ? 'x_bytes' : 'x';
      const sent = randomTensor(chance, name, datatype, randomShape(chance, form));
      const came = there(sent, form, chance);
      const back = home(came, form);
      if (!same(sent, came) || !same(sent, back)) throw new Error(`${form}: ${written(sent)} came as ${written(came)} and went as ${written(back)}`); // prettier-ignore
    }
    expect(chance).toBeDefined();
  });
});

/** Rows are at least one and lists; only the innermost list may be empty: what is in an empty list, JSON cannot tell. */
function randomShape(chance: Chance, form: Form): readonly number[] {
  const rank = chance.whole(form === 'instances' ? 1 : 0, 3);
  const least = (axis: number): number => (axis === rank - 1 && (axis > 0 || form === 'inputs') ? 0 : 1);
  return Array.from({ length: rank }, (_, axis) => chance.whole(least(axis), rank === 3 ? 2 : 3));
}

/** Written as a client would, and decoded for a model whose dimensions are fixed or free as it comes. */
function there(sent: Tensor, form: Form, chance: Chance): Tensor {
  const { name, datatype, shape } = sent;
  const text = datatype === 'BYTES' && chance.whole(0, 3) === 0 ? base64 : textOf(datatype);
  const named = chance.whole(0, 1) === 0;
  const body = form === 'inputs' ? columns(sent, text, named) : rows(sent, text, named);
  const json = parseTensorJson(Buffer.from(body));
  const signature: Signature = { inputs: [{ name, datatype, shape: shape.map((length) => chance.oneOf([length, -1])) }], outputs: [] };
  const { inputs } = decodePredict(formOf(json.value), isLong(datatype) ? json.exact() : json.value, signature);
  return inputs[0] as Tensor;
}

function base64(text: unknown): string {
  return JSON.stringify({ b64: Buffer.from(text as string).toString('base64') });
}

function columns(sent: Tensor, text: ReturnType<typeof textOf>, named: boolean): string {
  const value = writeNested(sent, text);
  return `{"signature_name":"serving_default","inputs":${named ? `{"${sent.name}":${value}}` : value}}`;
}

function rows(sent: Tensor, text: ReturnType<typeof textOf>, named: boolean): string {
  if (!named) return `{"instances":${writeNested(sent, text)}}`;
  const [length = 0, ...inner] = sent.shape;
  const step = sent.data.length / length;
  const row = (at: number): Tensor => ({ ...sent, shape: inner, data: sent.data.slice(at * step, (at + 1) * step) });
  return `{"instances":[${Array.from({ length }, (_, at) => `{"${sent.name}":${writeNested(row(at), text)}}`).join(',')}]}`;
}

/** Encoded as the only output of a model, and read as a client would. */
function home(tensor: Tensor, form: Form): Tensor {
  const rowsAsked = form === 'instances' ? tensor.shape[0] : undefined;
  const { body } = encodePredict(rowsAsked, { outputs: [tensor] }, { manifest: { files: [], metadata: {} } });
  const answer = parseAnswer(String(body), isLong(tensor.datatype)) as Record<string, unknown>;
  return readNested(tensor.name === 'x_bytes' ? decoded(answer['predictions'] ?? answer['outputs']) : (answer['predictions'] ?? answer['outputs']), tensor); // prettier-ignore
}

function decoded(value: unknown): unknown {
  return Array.isArray(value) ? value.map(decoded) : Buffer.from((value as { readonly b64: string }).b64, 'base64').toString();
}

function isLong(datatype: Datatype): boolean {
  return datatype === 'INT64' || datatype === 'UINT64';
}

function same(a: Tensor, b: Tensor): boolean {
  return a.datatype === b.datatype && a.shape.join() === b.shape.join() && sameBits(a, b);
}

function written(tensor: Tensor): string {
  return `${tensor.datatype}[${tensor.shape.join()}] ${writeNested(tensor)}`;
}
