import { deflateSync, gzipSync } from 'node:zlib';
import { HEADER, withLength } from '../open-inference/client';

/** Largest bodies of the server that the cases are for. */
export const LIMITS = { MAX_JSON_BYTES: '4096', MAX_BINARY_BYTES: '16384' };

/** A request, and what must come back. */
export interface Case {
  readonly title: string;
  /** What follows `/v2/models/`; default `pair/infer`. */
  readonly path?: string;
  readonly body: string | Buffer | object;
  readonly headers?: Readonly<Record<string, string | string[]>>;
}

export interface RefusedCase extends Case {
  readonly status: number;
  readonly code: string;
  /** What the error's sentence says. */
  readonly says: string | RegExp;
}

export interface AnsweredCase extends Case {
  /** The JSON of the answer. */
  readonly answer: object;
  /** The bytes behind it. */
  readonly binary?: Buffer;
  readonly answerHeaders?: Readonly<Record<string, string | undefined>>;
}

type Shape = readonly number[];

export const input = (name: string, datatype: string, shape: unknown, data: unknown, more: object = {}): object => ({
  name,
  datatype,
  shape,
  data,
  ...more,
});
const column = (name: string, ...data: readonly unknown[]): object => input(name, 'FP32', [data.length, 1], data);
const bytesInput = (name: string, datatype: string, shape: Shape, size: unknown): object => ({
  name,
  datatype,
  shape,
  parameters: { binary_data_size: size },
});
const fp32 = (...values: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, at) => bytes.writeFloatLE(value, at * 4));
  return bytes;
};
const texts = (...values: readonly string[]): Buffer => Buffer.concat(values.map((value) => withLength(Buffer.from(value))));

/** JSON, the bytes behind it, and the header between them. */
export function withBytes(json: object, bytes: Buffer): { readonly body: Buffer; readonly headers: Readonly<Record<string, string>> } {
  const text = Buffer.from(JSON.stringify(json));
  return { body: Buffer.concat([text, bytes]), headers: { [HEADER]: String(text.length) } };
}

const A = column('a', 3);
const B = column('b', 4);
const PAIR = { inputs: [A, B] };
const one = (datatype: string, data: unknown, shape: unknown = [1, 1]): object => ({ inputs: [input('x', datatype, shape, data)] });
const oneBinary = (datatype: string, shape: Shape, bytes: Buffer, size: unknown = bytes.length) =>
  withBytes({ inputs: [bytesInput('x', datatype, shape, size)] }, bytes);
const asking = (...outputs: readonly unknown[]): object => ({ ...PAIR, outputs });

const malformed = (title: string, body: Case['body'], says: RefusedCase['says'], more: Partial<RefusedCase> = {}): RefusedCase => ({
  title,
  body,
  says,
  status: 400,
  code: 'MALFORMED_BODY',
  ...more,
});
const refused = (
  code: string,
  title: string,
  body: Case['body'],
  says: RefusedCase['says'],
  more: Partial<RefusedCase> = {},
): RefusedCase => malformed(title, body, says, { code, ...more });

const GRAMMAR: readonly RefusedCase[] = [
  refused('MALFORMED_JSON', 'no JSON', '{"inputs":', 'body'),
  refused('MALFORMED_JSON', 'nothing', '', 'empty'),
  refused('MALFORMED_JSON', 'JSON in another encoding', Buffer.from([0x22, 0xff, 0x22]), 'UTF-8'),
  malformed('an array', [], 'body must be an object: expected an object, got an array of 0'),
  malformed('a text', '"inputs"', 'body must be an object'),
  malformed('no inputs', { id: '1' }, 'inputs must be an array: expected an array, got missing'),
  malformed('inputs that are null', { inputs: null }, 'inputs must be an array'),
  malformed('inputs by name', { inputs: { a: [1] } }, 'inputs must be an array: expected an array, got an object'),
  malformed('an input that is a number', { inputs: [7] }, 'inputs[0] must be an object'),
  malformed('an input without a name', { inputs: [{ ...A, name: undefined }] }, 'inputs[0].name must be a text: expected a text, got missing'),
  malformed('a name that is a number', { inputs: [A, { ...B, name: 7 }] }, 'inputs[1].name must be a text'),
  malformed('an input without a shape', { inputs: [{ ...A, shape: undefined }, B] }, 'inputs[0].shape must be an array'),
  malformed('a shape that is a number', { inputs: [{ ...A, shape: 1 }, B] }, 'inputs[0].shape must be an array'),
  malformed('a negative dimension', one('FP32', [1], [-1, 1]), 'inputs[0].shape[0] must be a whole number from 0 on: expected a whole number from 0 on, got -1'),
  malformed('half a dimension', one('FP32', [1], [1, 0.5]), 'inputs[0].shape[1] must be a whole number from 0 on: expected a whole number from 0 on, got 0.5'),
  malformed('a dimension of 2^53', one('FP32', [1], [2 ** 53]), 'got 9007199254740992'),
  malformed('a dimension in words', one('FP32', [1], ['1']), 'inputs[0].shape[0] must be a whole number from 0 on'),
  malformed('a dimension that is null', one('FP32', [1], [null]), 'got null'),
  malformed('33 dimensions', one('FP32', [1], Array(33).fill(1)), 'expected at most 32 dimensions, got 33 dimensions'),
  malformed('an input without a datatype', { inputs: [{ ...A, datatype: undefined }] }, 'inputs[0].datatype must be a text'),
  refused('DATATYPE_UNKNOWN', 'a datatype that is not served', one('BF16', [1]), /^Invalid datatype for the input "x": expected one of BOOL, .*, got BF16$/),
  refused('DATATYPE_UNKNOWN', 'a datatype in lower case', one('fp32', [1]), 'got fp32'),
  malformed('an input without data', { inputs: [{ ...A, data: undefined }] }, 'expected exactly one of data and parameters.binary_data_size, got neither'),
  malformed('an input whose data is null', { inputs: [{ ...A, data: null }] }, 'got neither'),
  malformed('an input with data and bytes', { inputs: [{ ...A, parameters: { binary_data_size: 4 } }, B] }, 'got both'),
  malformed('data that is a number', { inputs: [{ ...A, data: 3 }, B] }, 'inputs[0].data must be an array'),
  malformed('shared memory of an input', { inputs: [{ ...A, data: undefined, parameters: { shared_memory_region: 'r' } }, B] }, 'Shared memory is not offered'),
  malformed('shared memory of an output', asking({ name: 'sum', parameters: { shared_memory_region: 'r' } }), 'Shared memory is not offered'),
  malformed('parameters of an input that are an array', { inputs: [{ ...A, parameters: [] }, B] }, 'inputs[0].parameters must be an object'),
  malformed('an id that is a number', { ...PAIR, id: 7 }, 'id must be a text: expected a text, got a number'),
  malformed('an id that is an object', { ...PAIR, id: {} }, 'id must be a text'),
  malformed('parameters that are an array', { ...PAIR, parameters: [] }, 'parameters must be an object'),
  malformed('a parameter that is an object', { ...PAIR, parameters: { deep: {} } }, 'parameters.deep must be a text, a number or a boolean'),
  malformed('a parameter that is an array', { ...PAIR, parameters: { many: [1] } }, 'parameters.many must be'),
  malformed('a reserved parameter', { ...PAIR, parameters: { triton_enable_empty_final_response: true } }, 'triton_ are reserved'),
  malformed('binary_data_output in words', { ...PAIR, parameters: { binary_data_output: 'true' } }, 'parameters.binary_data_output must be true or false'),
  malformed('outputs by name', { ...PAIR, outputs: { sum: {} } }, 'outputs must be an array'),
  malformed('an output that is a text', asking('sum'), 'outputs[0] must be an object'),
  malformed('an output without a name', asking({}), 'outputs[0].name must be a text'),
  malformed('an output twice', asking({ name: 'sum' }, { name: 'product' }, { name: 'sum' }), 'The output "sum" is asked for twice'),
  malformed('binary_data in words', asking({ name: 'sum', parameters: { binary_data: 1 } }), 'outputs[0].parameters.binary_data must be true or false'),
  malformed('a negative number of classes', asking({ name: 'sum', parameters: { classification: -1 } }), 'outputs[0].parameters.classification must be a whole number'),
  malformed('a number of classes in words', asking({ name: 'sum', parameters: { classification: '2' } }), 'outputs[0].parameters.classification must be'),
]; // prettier-ignore

const MODELS: readonly RefusedCase[] = [
  refused('MODEL_NOT_FOUND', 'a model that there is not', PAIR, 'no model "nothing"', { path: 'nothing/infer', status: 404 }),
  refused('MODEL_NOT_FOUND', 'a version of a model that there is not', PAIR, 'nothing', { path: 'nothing/versions/1/infer', status: 404 }),
  refused('VERSION_NOT_FOUND', 'a version that there is not', PAIR, 'version 9', { path: 'pair/versions/9/infer', status: 404 }),
  refused('ALIAS_NOT_FOUND', 'an alias that there is not', PAIR, 'alias "best"', { path: 'pair/versions/best/infer', status: 404 }),
  refused('NO_PRODUCTION_VERSION', 'a model without a version in production', PAIR, 'production', { path: 'waiting/infer', status: 404 }),
  refused('INVALID_NAME', 'a name that no model can have', PAIR, 'model is not a valid name', { path: 'Pair!/infer' }),
  refused('INVALID_NAME', 'a version that is neither', PAIR, 'version is not a valid name', { path: 'pair/versions/V!/infer' }),
  refused('INPUTS_MISMATCH', 'an input that is missing', { inputs: [A] }, 'expected a, b, got a'),
  refused('INPUTS_MISMATCH', 'an input too many', { inputs: [A, B, column('c', 1)] }, 'expected a, b, got a, b, c'),
  refused('INPUTS_MISMATCH', 'an input of another name', { inputs: [A, column('c', 1)] }, 'expected a, b, got a, c'),
  refused('INPUTS_MISMATCH', 'an input twice', { inputs: [A, A] }, 'expected a, b, got a, a'),
  refused('INPUTS_MISMATCH', 'no input at all', { inputs: [] }, 'expected a, b, got none'),
  refused('DATATYPE_MISMATCH', 'another datatype', { inputs: [A, { ...B, datatype: 'FP64' }] }, 'The input "b" has the wrong datatype: expected FP32, got FP64'),
  refused('SHAPE_MISMATCH', 'another width', { inputs: [A, input('b', 'FP32', [1, 2], [1, 2])] }, '"b" has the wrong shape: expected [-1, 1], got [1, 2]'),
  refused('SHAPE_MISMATCH', 'another rank', { inputs: [A, input('b', 'FP32', [1], [1])] }, 'expected [-1, 1], got [1]'),
  refused('OUTPUT_UNKNOWN', 'an output that there is not', asking({ name: 'sum' }, { name: 'mean' }), 'The model has no output "mean": expected one of sum, product'),
  refused('NON_FINITE_OUTPUT', 'a question whose answer is NaN, where the model refuses that', one('FP32', [-1]), 'NaN', { path: 'picky/infer', status: 422 }),
  refused('NON_FINITE_OUTPUT', 'the same, asked for as bytes', { ...one('FP32', [-1]), parameters: { binary_data_output: true } }, 'NaN', { path: 'picky/infer', status: 422 }),
  refused('INFERENCE_FAILED', 'what the model cannot compute', one('INT64', [7], [1]), 'cannot compute', { path: 'index/infer' }),
]; // prettier-ignore

const free = { path: 'free/infer' };
const text = { path: 'text/infer' };

const ELEMENTS: readonly RefusedCase[] = [
  refused('DATA_CONTRADICTS_SHAPE', 'too few elements', one('FP32', [1, 2, 3], [2, 2]), 'x.data is not what the shape says: expected 4 elements for [2, 2], got 3 elements', free),
  refused('DATA_CONTRADICTS_SHAPE', 'too many elements', one('FP32', [1, 2, 3], [2, 1]), 'expected 2 elements for [2, 1], got 3 elements', free),
  refused('DATA_CONTRADICTS_SHAPE', 'a shape that lies', one('FP32', [1], [2 ** 31, 2 ** 31]), 'got 1 elements', free),
  refused('DATA_CONTRADICTS_SHAPE', 'a nested shape that lies', one('FP32', [[1]], [2 ** 40, 1]), 'expected an array of 1099511627776 for [1099511627776, 1], got an array of 1', free),
  refused('DATA_CONTRADICTS_SHAPE', 'an empty shape with an element', one('FP32', [1], [0, 2]), 'expected 0 elements for [0, 2], got 1 elements', free),
  refused('SHAPE_MISMATCH', 'an empty shape that would make the engine large', one('FP32', [], [0, 2 ** 40]), 'free dimensions of at most 65536', free),
  refused('DATA_CONTRADICTS_SHAPE', 'ragged rows', one('FP32', [[1, 2], [3]], [2, 2]), 'x.data[1] is not what the shape says: expected an array of 2 for [2, 2], got an array of 1', free),
  refused('DATA_CONTRADICTS_SHAPE', 'nesting of another shape', one('FP32', [[1, 2], [3, 4], [5, 6]], [2, 3]), 'x.data is not what the shape says', free),
  refused('DATA_CONTRADICTS_SHAPE', 'an element beside an array', one('FP32', [[1, 2], 3], [2, 2]), 'x.data[1] is not what the shape says: expected an array of 2 for [2, 2], got no array', free),
  refused('INVALID_VALUE', 'an array beside an element', one('FP32', [1, [2], 3, 4], [2, 2]), 'x.data[1] is not a number: expected a number, got an array of 1', free),
  refused('INVALID_VALUE', 'an array where an element is due', one('FP32', [[1], [[2]]], [2, 1]), 'x.data[1][0] is not a number', free),
  refused('INVALID_VALUE', 'an array too deep', one('FP32', [[[1]]], [1, 1]), 'x.data[0][0] is not a number', free),
  refused('INVALID_VALUE', 'a text in numbers', one('FP32', [1, '2'], [1, 2]), 'x.data[1] is not a number: expected a number, got "2"', free),
  refused('INVALID_VALUE', 'true in numbers', one('FP32', [true], [1, 1]), 'x.data[0] is not a number', free),
  refused('NUMBER_NOT_REPRESENTABLE', 'a number beyond FP32', one('FP32', [1e39], [1, 1]), 'x.data[0] cannot be told exactly', free),
  refused('INVALID_VALUE', 'a fraction in whole numbers', one('INT8', [1, 0.5], [2]), 'x.data[1] is not a whole number from -128 to 127: expected a whole number from -128 to 127, got 0.5', { path: 'byte/infer' }),
  refused('INVALID_VALUE', 'a whole number out of range', one('INT8', [128], [1]), 'x.data[0] is not a whole number from -128 to 127', { path: 'byte/infer' }),
  refused('INVALID_VALUE', 'null in whole numbers', one('INT8', [null], [1]), 'x.data[0] is not a whole number', { path: 'byte/infer' }),
  refused('INVALID_VALUE', 'a fraction in long numbers', one('INT64', [0.5], [1]), 'x.data[0] is not a whole number', { path: 'long/infer' }),
  refused('INVALID_VALUE', 'a number for a truth', one('BOOL', [1], [1]), 'x.data[0] is not true or false', { path: 'truth/infer' }),
  refused('INVALID_VALUE', 'a number for a text', one('BYTES', [1]), 'x.data[0] is not a text', text),
  refused('MALFORMED_JSON', 'half a character', '{"inputs":[{"name":"x","shape":[1,1],"datatype":"BYTES","data":["\\ud800"]}]}', 'surrogate', text),
  refused('TEXT_NOT_REPRESENTABLE', 'a text with NUL', one('BYTES', ['a\0b']), 'x.data[0] cannot be given to the engine as it is: expected a text without NUL', { ...text, status: 422 }),
  refused('NO_JSON_FORM', 'FP16 in JSON', one('FP16', [1], [1, 2]), '"x" is FP16, which has no form in JSON: take the binary one: expected', { path: 'half/infer', body: { ...one('FP16', [1], [1, 2]), parameters: { binary_data_output: true } } }),
  refused('NO_JSON_FORM', 'FP16 asked for in JSON', '', 'parameters.binary_data true for this output', { path: 'half/infer', ...oneBinary('FP16', [1, 2], Buffer.alloc(4)) }),
]; // prettier-ignore

const binaryBad = (
  title: string,
  message: { readonly body: Buffer; readonly headers: object },
  says: string,
  more: object = {},
): RefusedCase => refused('BINARY_MALFORMED', title, message.body, says, { headers: message.headers as never, ...more });
const header = (value: string | string[]) => ({ body: oneBinary('FP32', [1, 1], fp32(1)).body, headers: { [HEADER]: value } });

const BINARY: readonly RefusedCase[] = [
  binaryBad('a JSON length beyond the body', header('9999'), 'Inference-Header-Content-Length is larger than the body: expected at most', free),
  binaryBad('a negative JSON length', header('-1'), 'Inference-Header-Content-Length must come once and be a number of bytes: expected one whole number from 0 on, got -1', free),
  binaryBad('a JSON length in words', header('all'), 'got all', free),
  binaryBad('half a JSON length', header('80.5'), 'got 80.5', free),
  binaryBad('a JSON length in hexadecimal', header('0x10'), 'got 0x10', free),
  binaryBad('no JSON length in its header', header(''), 'Inference-Header-Content-Length must come once', free),
  binaryBad('the JSON length twice', header(['80', '80']), 'got 80, 80', free),
  binaryBad('bytes without the header', { ...oneBinary('FP32', [1, 1], Buffer.alloc(0), 4), headers: {} }, 'Inference-Header-Content-Length is missing', free),
  binaryBad('too few bytes', oneBinary('FP32', [1, 2], fp32(1), 8), 'Unexpected size for the input "x" of the model "free", expecting 4 additional bytes: expected 8 bytes, got 4 bytes', free),
  binaryBad('one byte too few', oneBinary('FP32', [1, 1], Buffer.alloc(3), 4), 'expecting 1 additional bytes: expected 4 bytes, got 3 bytes', free),
  binaryBad('bytes that are left over', withBytes({ inputs: [bytesInput('x', 'FP32', [1, 1], 4)] }, fp32(1, 2)), 'Unexpected additional input data for the model "free": expected 4 bytes after the JSON, got 8 bytes', free),
  binaryBad('one byte that is left over', withBytes({ inputs: [bytesInput('x', 'FP32', [1, 1], 4)] }, Buffer.alloc(5)), 'expected 4 bytes after the JSON, got 5 bytes', free),
  binaryBad('bytes behind JSON that needs none', withBytes(one('FP32', [1]), fp32(1)), 'expected 0 bytes after the JSON, got 4 bytes', free),
  binaryBad('fewer bytes than the shape says', oneBinary('FP32', [2, 2], fp32(1, 2, 3)), 'Byte size mismatch for the input "x" of the model "free": expected 16 bytes, got 12 bytes', free),
  binaryBad('more bytes than the shape says', oneBinary('FP32', [1, 2], fp32(1, 2, 3)), 'expected 8 bytes, got 12 bytes', free),
  binaryBad('a shape that lies about bytes', oneBinary('FP32', [2 ** 31, 2 ** 22], fp32(1)), 'expected 36028797018963970 bytes, got 4 bytes', free),
  binaryBad('no bytes for an element', oneBinary('FP32', [1, 1], Buffer.alloc(0)), 'expected 4 bytes, got 0 bytes', free),
  malformed('a negative number of bytes', '', 'inputs[0].parameters.binary_data_size must be a whole number from 0 on', { ...free, ...oneBinary('FP32', [1, 1], fp32(1), -4) }),
  malformed('a number of bytes in words', '', 'inputs[0].parameters.binary_data_size must be a whole number', { ...free, ...oneBinary('FP32', [1, 1], fp32(1), '4') }),
  refused('INVALID_VALUE', 'a byte that is no truth', '', 'x[1] is not 0 or 1: expected 0 or 1, got 2', { path: 'truth/infer', ...oneBinary('BOOL', [3], Buffer.of(1, 2, 0)) }),
  binaryBad('a text longer than what came', oneBinary('BYTES', [1, 1], Buffer.of(9, 0, 0, 0, 97)), 'the input "x[0]" of the model "text": expected 13 bytes, got 5 bytes', text),
  binaryBad('a text of 4 GiB', oneBinary('BYTES', [1, 1], Buffer.of(255, 255, 255, 255)), 'expected 4294967299 bytes, got 4 bytes', text),
  binaryBad('a length that is cut off', oneBinary('BYTES', [2, 1], Buffer.from([...texts('abc'), 1, 0])), 'x[1]', text),
  binaryBad('fewer texts than the shape says', oneBinary('BYTES', [2, 1], texts('a')), 'expected at least 8 bytes, got 5 bytes', text),
  binaryBad('more texts than the shape says', oneBinary('BYTES', [1, 1], texts('a', 'b')), 'expected 5 bytes, got 10 bytes', text),
  refused('TEXT_NOT_REPRESENTABLE', 'bytes that are no UTF-8', '', 'x[0] cannot be given to the engine as it is: expected a text in UTF-8', { ...text, status: 422, ...oneBinary('BYTES', [1, 1], Buffer.of(1, 0, 0, 0, 0xff)) }),
  refused('TEXT_NOT_REPRESENTABLE', 'bytes with NUL', '', 'expected a text without NUL', { ...text, status: 422, ...oneBinary('BYTES', [1, 1], texts('a\0')) }),
]; // prettier-ignore

const raw = { headers: { [HEADER]: '0' } };

const RAW: readonly RefusedCase[] = [
  refused('INPUTS_MISMATCH', 'raw bytes for two inputs', fp32(1, 2), 'expected a, b, got one input, raw', raw),
  refused('BINARY_MALFORMED', 'raw bytes that make no row', fp32(1, 2, 3), 'Byte size mismatch for the input "x" of the model "class": expected a multiple of 8 bytes for [-1, 2], got 12 bytes', { ...raw, path: 'class/infer' }),
  refused('BINARY_MALFORMED', 'no raw bytes', '', 'got 0 bytes', { ...raw, path: 'class/infer' }),
  refused('BINARY_MALFORMED', 'raw bytes for a fixed shape that are too many', fp32(1, 2), 'expected 4 bytes, got 8 bytes', { ...raw, path: 'scalar/infer' }),
  refused('SHAPE_MISMATCH', 'raw bytes for two free dimensions behind the first', fp32(1, 2), 'one free dimension at most: the shape is [-1, -1, -1]', { ...raw, path: 'wide/infer' }),
  refused('SHAPE_MISMATCH', 'raw bytes for several texts', 'a', 'a model whose input is one text: the shape is [-1, 2]', { ...raw, path: 'texts/infer' }),
  refused('TEXT_NOT_REPRESENTABLE', 'raw bytes that are no text', Buffer.of(0xc0), 'UTF-8', { ...raw, ...text, status: 422 }),
]; // prettier-ignore

const BODIES: readonly RefusedCase[] = [
  refused('BODY_TOO_LARGE', 'JSON beyond what JSON may have', `{"inputs":[${' '.repeat(5000)}`, '4096 bytes', { status: 413 }),
  refused('BODY_TOO_LARGE', 'JSON before bytes beyond what JSON may have', ' '.repeat(9000), '4096 bytes', { status: 413, headers: { [HEADER]: '5000' } }),
  refused('BODY_TOO_LARGE', 'bytes beyond what bytes may have', Buffer.alloc(20_000), '16384 bytes', { status: 413, headers: { [HEADER]: '10' } }),
  refused('BODY_TOO_LARGE', 'what unpacks to too much', gzipSync(Buffer.alloc(1_000_000)), '4096 bytes', { status: 413, headers: { 'Content-Encoding': 'gzip' } }),
  refused('BODY_TOO_LARGE', 'what unpacks to too many bytes', deflateSync(Buffer.alloc(1_000_000)), '16384 bytes', { status: 413, headers: { 'Content-Encoding': 'deflate', [HEADER]: '10' } }),
  refused('MALFORMED_ENCODING', 'what is not compressed but says so', JSON.stringify(PAIR), 'gzip', { headers: { 'Content-Encoding': 'gzip' } }),
  refused('MALFORMED_ENCODING', 'half a stream', deflateSync(JSON.stringify(PAIR)).subarray(0, 20), 'deflate', { headers: { 'Content-Encoding': 'deflate' } }),
  refused('UNSUPPORTED_MEDIA_TYPE', 'another compression', JSON.stringify(PAIR), 'Content-Encoding must be gzip, deflate or absent', { status: 415, headers: { 'Content-Encoding': 'br' } }),
  refused('BINARY_MALFORMED', 'a JSON length that counts compressed bytes', gzipSync(JSON.stringify(one('FP32', [1]))), 'larger than the body', { ...free, headers: { 'Content-Encoding': 'gzip', [HEADER]: '4000' } }),
]; // prettier-ignore

const CLASSES: readonly RefusedCase[] = [
  refused('NOT_CLASSIFIABLE', 'classes of texts', { ...one('BYTES', ['a']), outputs: [{ name: 'y', parameters: { classification: 1 } }] }, 'The output "y" cannot be told as classes: expected an output of numbers, but FP16, got BYTES', text),
  refused('NOT_CLASSIFIABLE', 'classes of truths', { ...one('BOOL', [true], [1]), outputs: [{ name: 'y', parameters: { classification: 1 } }] }, 'got BOOL', { path: 'truth/infer' }),
  refused('NOT_CLASSIFIABLE', 'classes of FP16', '', 'got FP16', { path: 'half/infer', ...withBytes({ inputs: [bytesInput('x', 'FP16', [1, 2], 4)], outputs: [{ name: 'y', parameters: { classification: 1, binary_data: true } }] }, Buffer.alloc(4)) }),
]; // prettier-ignore

/** What is refused, and how. */
export const REFUSED: Readonly<Record<string, readonly RefusedCase[]>> = {
  'outside the grammar': GRAMMAR,
  'not of this model': MODELS,
  'not what the shape or the datatype says': ELEMENTS,
  'as bytes': BINARY,
  'as bytes alone': RAW,
  'by its body': BODIES,
  'as classes': CLASSES,
};

const ABOUT = { model_name: 'pair', model_version: '1' };
const told = (name: string, data: readonly unknown[], shape: Shape = [data.length, 1], datatype = 'FP32') => ({
  name,
  datatype,
  shape,
  data,
});
const toldBytes = (name: string, size: number, shape: Shape, datatype = 'FP32') => ({
  name,
  datatype,
  shape,
  parameters: { binary_data_size: size },
});
const SUM = told('sum', [7]);
const PRODUCT = told('product', [12]);
const BOTH = { ...ABOUT, outputs: [SUM, PRODUCT] };
const about = (model: string, ...outputs: readonly object[]) => ({ model_name: model, model_version: '1', outputs });
const octets = { 'content-type': 'application/octet-stream' };
const json = { 'content-type': 'application/json', [HEADER]: undefined };
const binarySum = { name: 'sum', parameters: { binary_data: true } };
const asBytes = { parameters: { binary_data_output: true } };
const NAN = Buffer.from([0x01, 0x00, 0xc0, 0x7f]);

const FORMS: readonly AnsweredCase[] = [
  { title: 'all outputs in the order of the model', body: PAIR, answer: BOTH, answerHeaders: json },
  { title: 'the id', body: { id: 'ä "☃" 1', ...PAIR }, answer: { id: 'ä "☃" 1', ...BOTH } },
  { title: 'an id that is empty', body: { id: '', ...PAIR }, answer: { id: '', ...BOTH } },
  { title: 'members that are null as if absent', body: { id: null, parameters: null, outputs: null, inputs: [{ ...A, parameters: null }, B] }, answer: BOTH },
  { title: 'members that nobody knows', body: { ...PAIR, model_name: 'other', trace: { deep: [1] } }, answer: BOTH },
  { title: 'time enough, and parameters that mean nothing here', body: { ...PAIR, parameters: { timeout: 60_000_000, priority: 1, sequence_id: 7, sequence_start: true, content_type: 'np', none: null } }, answer: BOTH },
  { title: 'parameters of an input that mean nothing here', body: { inputs: [{ ...A, parameters: { content_type: 'np', headers: { a: 1 } } }, B] }, answer: BOTH },
  { title: 'inputs in any order', body: { inputs: [B, A] }, answer: BOTH },
  { title: 'an empty list of outputs as all', body: asking(), answer: BOTH },
  { title: 'the outputs in the order asked for', body: asking({ name: 'product' }, { name: 'sum' }), answer: { ...ABOUT, outputs: [PRODUCT, SUM] } },
  { title: 'the one output asked for', body: asking({ name: 'product', parameters: {} }), answer: { ...ABOUT, outputs: [PRODUCT] } },
  { title: 'nested data', body: { inputs: [input('a', 'FP32', [2, 1], [[1], [2]]), input('b', 'FP32', [2, 1], [3, 4])] }, answer: { ...ABOUT, outputs: [told('sum', [4, 6]), told('product', [3, 8])] } },
  { title: 'data in three dimensions', path: 'wide/infer', body: one('FP32', [[[1, 2]], [[3, 4]]], [2, 1, 2]), answer: about('wide', told('y', [1, 2, 3, 4], [2, 1, 2])) },
  { title: 'a scalar', path: 'scalar/infer', body: one('FP32', [7.5], []), answer: about('scalar', told('y', [7.5], [])) },
  { title: 'an empty tensor', path: 'free/infer', body: one('FP32', [], [0, 3]), answer: about('free', told('y', [], [0, 3])) },
  { title: 'an empty tensor that is nested', path: 'free/infer', body: one('FP32', [[], []], [2, 0]), answer: about('free', told('y', [], [2, 0])) },
  { title: 'a version', path: 'pair/versions/1/infer', body: PAIR, answer: BOTH },
  { title: 'an alias', path: 'pair/versions/champion/infer', body: PAIR, answer: BOTH },
  { title: 'the alias of what is in production', path: 'pair/versions/production/infer', body: PAIR, answer: BOTH },
  { title: 'a version that is not in production', path: 'waiting/versions/1/infer', body: PAIR, answer: { ...BOTH, model_name: 'waiting' } },
  { title: 'whatever the address has behind it', path: 'pair/infer?user=7&trace', body: PAIR, answer: BOTH },
  { title: 'whatever content type is said', body: PAIR, headers: { 'Content-Type': 'text/html' }, answer: BOTH },
  { title: 'a compressed question', body: gzipSync(JSON.stringify(PAIR)), headers: { 'Content-Encoding': 'gzip' }, answer: BOTH },
  { title: 'a deflated question', body: deflateSync(JSON.stringify(PAIR)), headers: { 'Content-Encoding': 'deflate' }, answer: BOTH },
]; // prettier-ignore

const NUMBERS: readonly AnsweredCase[] = [
  { title: 'FP32 in its shortest text', path: 'free/infer', body: one('FP32', [0.1, 16777217, -0.0], [1, 3]), answer: about('free', told('y', [0.1, 16777216, 0], [1, 3])) },
  { title: 'null as NaN, and NaN as null', path: 'free/infer', body: one('FP32', [null, 1], [1, 2]), answer: about('free', told('y', [null, 1], [1, 2])), answerHeaders: { 'x-non-finite': '1' } },
  { title: 'NaN that the model made', path: 'root/infer', body: one('FP32', [-1, 4], [2, 1]), answer: about('root', told('y', [null, 2], [2, 1])), answerHeaders: { 'x-non-finite': '1' } },
  { title: 'NaN as the bytes it is', path: 'free/infer', ...withBytes({ inputs: [bytesInput('x', 'FP32', [1, 1], 4)], ...asBytes }, NAN), answer: about('free', toldBytes('y', 4, [1, 1])), binary: NAN, answerHeaders: { ...octets, 'x-non-finite': undefined } },
  { title: 'whole numbers beyond 2^53', path: 'long/infer', body: '{"inputs":[{"name":"x","shape":[3],"datatype":"INT64","data":[9007199254740993,-9223372036854775808,7]}]}', answer: about('long', told('y', ['9007199254740993', '-9223372036854775808', '7'], [3], 'INT64')) },
  { title: 'truths', path: 'truth/infer', body: one('BOOL', [true, false], [2]), answer: about('truth', told('y', [true, false], [2], 'BOOL')) },
  { title: 'texts', path: 'text/infer', body: one('BYTES', ['', 'ž"\n🐎'], [2, 1]), answer: about('text', told('y', ['', 'ž"\n🐎'], [2, 1], 'BYTES')) },
]; // prettier-ignore

const sumBytes = fp32(7);
const productBytes = fp32(12);
const PAIR_BINARY = { inputs: [bytesInput('a', 'FP32', [1, 1], 4), bytesInput('b', 'FP32', [1, 1], 4)] };

const AS_BYTES: readonly AnsweredCase[] = [
  { title: 'bytes, one input after the other', ...withBytes(PAIR_BINARY, fp32(3, 4)), answer: BOTH, answerHeaders: json },
  { title: 'bytes in the order of the question', ...withBytes({ inputs: [bytesInput('b', 'FP32', [1, 1], 4), bytesInput('a', 'FP32', [1, 1], 4)], outputs: [{ name: 'sum' }] }, fp32(4, 3)), answer: { ...ABOUT, outputs: [SUM] } },
  { title: 'one input as bytes and one in JSON', ...withBytes({ inputs: [A, bytesInput('b', 'FP32', [1, 1], 4)] }, fp32(4)), answer: BOTH },
  { title: 'all outputs as bytes', body: { id: 'x', ...PAIR, ...asBytes }, answer: { id: 'x', ...ABOUT, outputs: [toldBytes('sum', 4, [1, 1]), toldBytes('product', 4, [1, 1])] }, binary: Buffer.concat([sumBytes, productBytes]), answerHeaders: octets },
  { title: 'one output as bytes and one in JSON', body: asking({ name: 'product' }, binarySum), answer: { ...ABOUT, outputs: [PRODUCT, toldBytes('sum', 4, [1, 1])] }, binary: sumBytes, answerHeaders: octets },
  { title: 'a listed output as all outputs, where it says nothing', body: { ...asking({ name: 'sum' }), ...asBytes }, answer: { ...ABOUT, outputs: [toldBytes('sum', 4, [1, 1])] }, binary: sumBytes },
  { title: 'a listed output otherwise than all, where it says so', body: { ...asking({ name: 'sum', parameters: { binary_data: false } }, { name: 'product' }), ...asBytes }, answer: { ...ABOUT, outputs: [SUM, toldBytes('product', 4, [1, 1])] }, binary: productBytes },
  { title: 'JSON where bytes are not wanted', body: { ...PAIR, parameters: { binary_data_output: false } }, answer: BOTH, answerHeaders: json },
  { title: 'no bytes for an empty tensor', path: 'free/infer', ...oneBinary('FP32', [0, 3], Buffer.alloc(0)), answer: about('free', told('y', [], [0, 3])), answerHeaders: json },
  { title: 'no bytes and no header for an empty tensor', path: 'free/infer', body: { inputs: [{ ...bytesInput('x', 'FP32', [0, 3], 0), data: null }], ...asBytes }, answer: about('free', toldBytes('y', 0, [0, 3])), answerHeaders: json },
  { title: 'FP16', path: 'half/infer', ...withBytes({ inputs: [bytesInput('x', 'FP16', [1, 2], 4)], ...asBytes }, Buffer.of(1, 0x7c, 0, 0x3c)), answer: about('half', toldBytes('y', 4, [1, 2], 'FP16')), binary: Buffer.of(1, 0x7c, 0, 0x3c) },
  { title: 'texts, each with its length', path: 'text/infer', ...withBytes({ inputs: [bytesInput('x', 'BYTES', [2, 1], 12)], ...asBytes }, texts('ž1', 'a')), answer: about('text', toldBytes('y', 12, [2, 1], 'BYTES')), binary: texts('ž1', 'a') },
  { title: 'a text of more than 255 bytes', path: 'text/infer', ...withBytes({ inputs: [bytesInput('x', 'BYTES', [1, 1], 774)], ...asBytes }, texts('é'.repeat(385))), answer: about('text', toldBytes('y', 774, [1, 1], 'BYTES')), binary: texts('é'.repeat(385)) },
  { title: 'compressed bytes, whose JSON is counted before compression', ...withBytes(PAIR_BINARY, fp32(3, 4)), body: gzipSync(withBytes(PAIR_BINARY, fp32(3, 4)).body), headers: { ...withBytes(PAIR_BINARY, fp32(3, 4)).headers, 'Content-Encoding': 'gzip' }, answer: BOTH },
]; // prettier-ignore

const RAW_ANSWERS: readonly AnsweredCase[] = [
  { title: 'one row', path: 'root/infer', body: fp32(4), ...raw, answer: about('root', toldBytes('y', 4, [1, 1])), binary: fp32(2), answerHeaders: octets },
  { title: 'as many rows as the bytes make', path: 'root/infer', body: fp32(4, 9), ...raw, answer: about('root', toldBytes('y', 8, [2, 1])), binary: fp32(2, 3) },
  { title: 'one row, as wide as the bytes make it', path: 'free/infer', body: fp32(4, 9), ...raw, answer: about('free', toldBytes('y', 8, [1, 2])), binary: fp32(4, 9) },
  { title: 'a scalar', path: 'scalar/infer', body: fp32(4), ...raw, answer: about('scalar', toldBytes('y', 4, [])), binary: fp32(4) },
  { title: 'a text without its length, which comes back with it', path: 'text/infer', body: 'žluť', ...raw, answer: about('text', toldBytes('y', 10, [1, 1], 'BYTES')), binary: texts('žluť') },
  { title: 'an empty text', path: 'text/infer', body: '', ...raw, answer: about('text', toldBytes('y', 4, [1, 1], 'BYTES')), binary: texts('') },
]; // prettier-ignore

const classes = (classification: number, more: object = {}) => [{ name: 'y', parameters: { classification, ...more } }];
const scores = (data: readonly unknown[], shape: Shape, classification: number, more: object = {}) => ({
  ...one('FP32', data, shape),
  outputs: classes(classification, more),
});
const strings = (data: readonly string[], shape: Shape) => told('y', data, shape, 'BYTES');

const CLASS_ANSWERS: readonly AnsweredCase[] = [
  { title: 'the greatest of each row', path: 'free/infer', body: scores([0.25, 3.3, -1, 5, 4, 6], [2, 3], 2), answer: about('free', strings(['3.300000:1', '0.250000:0', '6.000000:2', '5.000000:0'], [2, 2])) },
  { title: 'no more than there are', path: 'free/infer', body: scores([1, 2], [1, 2], 9), answer: about('free', strings(['2.000000:1', '1.000000:0'], [1, 2])) },
  { title: 'the first of equal ones first', path: 'free/infer', body: scores([1, 2, 2], [1, 3], 3), answer: about('free', strings(['2.000000:1', '2.000000:2', '1.000000:0'], [1, 3])) },
  { title: 'NaN last', path: 'free/infer', body: scores([null, -5, 1e30], [1, 3], 3), answer: about('free', strings(['1000000015047466219876688855040.000000:2', '-5.000000:1', 'nan:0'], [1, 3])), answerHeaders: { 'x-non-finite': undefined } },
  { title: 'whole numbers as they are', path: 'long/infer', body: { ...one('INT64', [7, 9], [2]), outputs: classes(1) }, answer: about('long', strings(['9:1'], [1])) },
  { title: 'the labels of the metadata', path: 'class/infer', body: { ...one('FP32', [1, 0], [1, 2]), outputs: [{ name: 'probabilities', parameters: { classification: 1 } }] }, answer: about('class', told('probabilities', [expect.stringMatching(/^0\.6\d{5}:0:buy$/)], [1, 1], 'BYTES')) },
  { title: 'the labels of the model itself', path: 'own/infer', body: { ...one('FP32', [1, 0], [1, 2]), outputs: [{ name: 'output_probability', parameters: { classification: 1 } }] }, answer: about('own', told('output_probability', [expect.stringMatching(/^0\.6\d{5}:0:10$/)], [1, 1], 'BYTES')) },
  { title: 'as bytes', path: 'free/infer', body: scores([1, 2], [1, 2], 1, { binary_data: true }), answer: about('free', toldBytes('y', 14, [1, 1], 'BYTES')), binary: texts('2.000000:1'), answerHeaders: octets },
  { title: 'none where none are asked for', path: 'free/infer', body: scores([1, 2], [1, 2], 0), answer: about('free', told('y', [1, 2], [1, 2])) },
  { title: 'none of no elements', path: 'free/infer', body: scores([], [0, 2], 1), answer: about('free', strings([], [0, 1])) },
]; // prettier-ignore

/** What is answered, and how. */
export const ANSWERED: Readonly<Record<string, readonly AnsweredCase[]>> = {
  'in its forms': FORMS,
  'of numbers and texts': NUMBERS,
  'as bytes': AS_BYTES,
  'to bytes alone': RAW_ANSWERS,
  'as classes': CLASS_ANSWERS,
};
