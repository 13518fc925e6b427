import { deflateSync, gzipSync } from 'node:zlib';
import { identity, linear, nanOutput, twoInputs, withTotal } from '../onnx/models';
import { DTYPE } from '../onnx/onnx-writer';
import type { TfjsFiles } from '../tfjs/tfjs-files';
import { identityTwin, linearTwin, nanOutputTwin, twoInputsTwin, withTotalTwin } from '../tfjs/twins';

/** The models that the cases ask, all of them in production. */
export const MODELS: readonly (readonly [name: string, model: Buffer, metadata?: object])[] = [
  ['line', linear([[1], [2], [3], [4]])],
  ['pair', twoInputs()],
  ['plain', identity(DTYPE.float32, [null])],
  ['column', identity(DTYPE.float32, [null, 1])],
  ['cube', identity(DTYPE.float32, [null, null, null])],
  ['fixed', identity(DTYPE.float32, [2])],
  ['scalar', identity(DTYPE.float64, [])],
  ['total', withTotal()],
  ['byte', identity(DTYPE.uint8, [null])],
  ['long', identity(DTYPE.int64, [null])],
  ['unsigned', identity(DTYPE.uint64, [null])],
  ['truth', identity(DTYPE.bool, [null])],
  ['text', identity(DTYPE.string, [null])],
  ['bytes', identity(DTYPE.string, [null], 'y_bytes')],
  ['half', identity(DTYPE.float16, [null])],
  ['root', nanOutput()],
  ['picky', nanOutput(), { nonFinite: 'reject' }],
];

/** Those of them that TensorFlow.js can have. */
export const TWINS: Readonly<Record<string, TfjsFiles>> = {
  line: linearTwin([[1], [2], [3], [4]]),
  pair: twoInputsTwin(),
  plain: identityTwin('float32', [-1]),
  column: identityTwin('float32', [-1, 1]),
  cube: identityTwin('float32', [-1, -1, -1]),
  fixed: identityTwin('float32', [2]),
  total: withTotalTwin(),
  truth: identityTwin('bool', [-1]),
  text: identityTwin('string', [-1]),
  bytes: identityTwin('string', [-1], 'y_bytes'),
  root: nanOutputTwin(),
  picky: nanOutputTwin(),
};

/** A question and its answer, byte for byte; of a refusal, the text under `error`. */
export interface Case {
  readonly title: string;
  /** Default: POST where there is a body. */
  readonly method?: string;
  readonly path: string;
  readonly body?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  readonly status?: number;
  /** The whole body. */
  readonly answer?: string;
  readonly error?: string;
  readonly answered?: Readonly<Record<string, string>>;
}

const ROWS = '{"instances":[[1,2,3,4],[0,0,0,1]]}';
const PREDICTIONS = '{"predictions":[[30.0],[4.0]]}';
const NAMES = '1 to 64 of a-z, 0-9, ".", "_", "-", first and last a letter or digit, no ".."';

const ask = (model: string, title: string, body: string, answer: string): Case => ({ title, path: `/v1/models/${model}:predict`, body, answer }); // prettier-ignore
const refuse = (model: string, title: string, body: string, error: string, status = 400): Case => ({ title, path: `/v1/models/${model}:predict`, body, error, status }); // prettier-ignore

const ROUTES: readonly Case[] = [
  { title: 'the production version', path: '/v1/models/line:predict', body: ROWS, answer: PREDICTIONS },
  { title: 'a version', path: '/v1/models/line/versions/1:predict', body: ROWS, answer: PREDICTIONS },
  { title: 'a label that is an alias', path: '/v1/models/line/labels/champion:predict', body: ROWS, answer: PREDICTIONS },
  { title: 'the label production', path: '/v1/models/line/labels/production:predict', body: ROWS, answer: PREDICTIONS },
  { title: 'a path in capitals', path: '/V1/Models/line/Versions/1:PREDICT', body: ROWS, answer: PREDICTIONS },
  { title: 'a name that is escaped', path: '/v1/models/%6cine/labels/%63hampion:predict', body: ROWS, answer: PREDICTIONS },
  { title: 'a query, which does not matter', path: '/v1/models/line:predict?a=1&a=2', body: ROWS, answer: PREDICTIONS },
  { title: 'a version that is not in production', path: '/v1/models/waiting/versions/1:predict', body: '{"instances":[[5]]}', answer: '{"predictions":[[5.0]]}' }, // prettier-ignore
  { title: 'another content type', path: '/v1/models/line:predict', body: ROWS, headers: { 'Content-Type': 'text/plain' }, answer: PREDICTIONS }, // prettier-ignore
  { title: 'no content type', path: '/v1/models/line:predict', body: Buffer.from(ROWS), answer: PREDICTIONS },
  { title: 'gzip', path: '/v1/models/line:predict', body: gzipSync(ROWS), headers: { 'Content-Encoding': 'gzip' }, answer: PREDICTIONS },
  { title: 'deflate', path: '/v1/models/line:predict', body: deflateSync(ROWS), headers: { 'Content-Encoding': 'deflate' }, answer: PREDICTIONS }, // prettier-ignore
  { title: 'another encoding', path: '/v1/models/line:predict', body: ROWS, headers: { 'Content-Encoding': 'br' }, status: 415, error: 'Content-Encoding must be gzip, deflate or absent: expected gzip, deflate or absent, got br' }, // prettier-ignore
  { title: 'too much', path: '/v1/models/line:predict', body: ' '.repeat(70_000), status: 413, error: 'The body is larger than 65536 bytes: expected at most 65536 bytes' }, // prettier-ignore
  { title: 'too much, compressed', path: '/v1/models/line:predict', body: gzipSync(' '.repeat(70_000)), headers: { 'Content-Encoding': 'gzip' }, status: 413, error: 'The body is larger than 65536 bytes: expected at most 65536 bytes' }, // prettier-ignore
  { title: 'a model that is not there', path: '/v1/models/nothing:predict', body: ROWS, status: 404, error: 'There is no model "nothing"' }, // prettier-ignore
  { title: 'a model without a production version', path: '/v1/models/waiting:predict', body: ROWS, status: 404, error: 'No version of "waiting" is in production: promote one, or ask for a version by its number: expected a version in production, or one of 1, 2 asked for, got none' }, // prettier-ignore
  { title: 'a version that is not there', path: '/v1/models/line/versions/9:predict', body: ROWS, status: 404, error: 'The model "line" has no version 9: expected one of 1, got 9' }, // prettier-ignore
  { title: 'an unknown label', path: '/v1/models/line/labels/x:predict', body: ROWS, status: 400, error: 'The model "line" has no alias "x": expected one of production, champion' }, // prettier-ignore
  { title: 'a version that is no number', path: '/v1/models/line/versions/one:predict', body: ROWS, status: 400, error: 'version is not a valid name: expected a whole number from 1 on, got "one"' }, // prettier-ignore
  { title: 'a version that is too big', path: '/v1/models/line/versions/99999999999999999999:predict', body: ROWS, status: 400, error: 'version is not a valid name: expected a whole number from 1 on, got "99999999999999999999"' }, // prettier-ignore
  { title: 'a name with a colon', path: '/v1/models/a:b:predict', body: ROWS, status: 400, error: `model is not a valid name: expected ${NAMES}, got "a:b"` }, // prettier-ignore
  { title: 'classify', path: '/v1/models/line:classify', body: '{"examples":[{"x":1}]}', status: 501, error: 'No model has a signature for classify, which takes tf.Example: expected :predict, got :classify' }, // prettier-ignore
  { title: 'regress of a version', path: '/v1/models/line/versions/1:regress', body: '{}', status: 501, error: 'No model has a signature for regress, which takes tf.Example: expected :predict, got :regress' }, // prettier-ignore
  { title: 'an unknown method', path: '/v1/models/line:explain', body: '{}', status: 400, error: 'Malformed request: POST /v1/models/line:explain' }, // prettier-ignore
  { title: 'no method', path: '/v1/models/line', body: '{}', status: 400, error: 'Malformed request: POST /v1/models/line' },
  { title: 'another verb', method: 'DELETE', path: '/v1/models/line', status: 400, error: 'Malformed request: DELETE /v1/models/line' },
  { title: 'another path', path: '/v1/nothing', status: 400, error: 'Malformed request: GET /v1/nothing' },
  { title: 'no path', path: '/v1', status: 400, error: 'Malformed request: GET /v1' },
];

const STATUS_1 = '{"version":"1","state":"AVAILABLE","status":{"error_code":"OK","error_message":""}}';
const info = (name: string, dtype: string, ...sizes: readonly number[]): string =>
  `"${name}":{"dtype":"${dtype}","tensor_shape":{"dim":[${sizes.map((size) => `{"size":"${size}","name":""}`).join(',')}],"unknown_rank":false},"name":"${name}:0"}`; // prettier-ignore
const metadata = (name: string, inputs: string, outputs: string): string =>
  `{"model_spec":{"name":"${name}","signature_name":"","version":"1"},"metadata":{"signature_def":{"signature_def":{"serving_default":{"inputs":{${inputs}},"outputs":{${outputs}},"method_name":"tensorflow/serving/predict","defaults":{}}}}}}`; // prettier-ignore
const LINE = metadata('line', info('x', 'DT_FLOAT', -1, 4), info('y', 'DT_FLOAT', -1, 1));

const LOOKING: readonly Case[] = [
  { title: 'the names of what is served', path: '/v1/models', answer: `{"models":${JSON.stringify(MODELS.map(([name]) => name).sort())}}` },
  { title: 'the status of a model', path: '/v1/models/line', answer: `{"model_version_status":[${STATUS_1}],"name":"line","ready":true}` },
  { title: 'the status of a model without a production version', path: '/v1/models/waiting', answer: `{"model_version_status":[${STATUS_1.replace('1', '2')},${STATUS_1}],"name":"waiting","ready":false}` }, // prettier-ignore
  { title: 'the status of a version', path: '/v1/models/line/versions/1', answer: `{"model_version_status":[${STATUS_1}],"name":"line","ready":true}` }, // prettier-ignore
  { title: 'the status of a label', path: '/v1/models/line/labels/champion', answer: `{"model_version_status":[${STATUS_1}],"name":"line","ready":true}` }, // prettier-ignore
  { title: 'the status of no model', path: '/v1/models/nothing', status: 404, error: 'There is no model "nothing"' },
  { title: 'the status of no version', path: '/v1/models/line/versions/9', status: 404, error: 'The model "line" has no version 9: expected one of 1, got 9' }, // prettier-ignore
  { title: 'the status of no label', path: '/v1/models/line/labels/x', status: 400, error: 'The model "line" has no alias "x": expected one of production, champion' }, // prettier-ignore
  { title: 'the metadata of a model', path: '/v1/models/line/metadata', answer: LINE },
  { title: 'the metadata of a version', path: '/v1/models/line/versions/1/metadata', answer: LINE },
  { title: 'the metadata of a label', path: '/v1/models/line/labels/champion/metadata', answer: LINE },
  { title: 'the metadata of halves', path: '/v1/models/half/metadata', answer: metadata('half', info('x', 'DT_HALF', -1), info('y', 'DT_HALF', -1)) }, // prettier-ignore
  { title: 'the metadata of a scalar', path: '/v1/models/scalar/metadata', answer: metadata('scalar', info('x', 'DT_DOUBLE'), info('y', 'DT_DOUBLE')) }, // prettier-ignore
  {
    title: 'the metadata of no model',
    path: '/v1/models/nothing/metadata',
    status: 404,
    error: 'There is no model "nothing"',
  },
  { title: 'the metadata of no version', path: '/v1/models/line/versions/9/metadata', status: 404, error: 'The model "line" has no version 9: expected one of 1, got 9' }, // prettier-ignore
];

const ROW_BY_ROW: readonly Case[] = [
  ask('line', 'the values of the only input', '{"instances":[[1,0,0,0]]}', '{"predictions":[[1.0]]}'),
  ask('line', 'the only input by name', '{"instances":[{"x":[1,0,0,0]}]}', '{"predictions":[[1.0]]}'),
  ask('line', 'the signature', '{"signature_name":"serving_default","instances":[[1,0,0,0]]}', '{"predictions":[[1.0]]}'),
  ask('line', 'no signature', '{"signature_name":"","instances":[[1,0,0,0]]}', '{"predictions":[[1.0]]}'),
  ask('line', 'members that are not known', '{"parameters":{},"instances":[[1,0,0,0]]}', '{"predictions":[[1.0]]}'),
  ask('plain', 'a value a row', '{"instances":[1,2.5]}', '{"predictions":[1.0,2.5]}'),
  ask('column', 'a list of one value a row', '{"instances":[[1],[2.5]]}', '{"predictions":[[1.0],[2.5]]}'),
  ask('cube', 'lists in lists', '{"instances":[[[1,2],[3,4]]]}', '{"predictions":[[[1.0,2.0],[3.0,4.0]]]}'),
  ask('fixed', 'as many rows as the model takes', '{"instances":[1,2]}', '{"predictions":[1.0,2.0]}'),
  ask('pair', 'several inputs, in any order', '{"instances":[{"a":[3],"b":[4]},{"b":[1],"a":[2]}]}', '{"predictions":[{"sum":[7.0],"product":[12.0]},{"sum":[3.0],"product":[2.0]}]}'), // prettier-ignore
  ask('text', 'texts, and base64 of texts', '{"instances":["é",{"b64":"8J+Qjg=="}]}', '{"predictions":["é","🐎"]}'),
  ask('bytes', 'texts that come back as base64', '{"instances":["hi",""]}', '{"predictions":[{"b64":"aGk="},{"b64":""}]}'),
  ask('truth', 'truth', '{"instances":[true,false]}', '{"predictions":[true,false]}'),
  ask('byte', 'whole numbers, and 1.0 for 1', '{"instances":[0,255,1.0]}', '{"predictions":[0,255,1]}'),
  ask('long', 'every whole number of 64 bits', '{"instances":[9223372036854775807,-9223372036854775808,9007199254740993,0]}', '{"predictions":[9223372036854775807,-9223372036854775808,9007199254740993,0]}'), // prettier-ignore
  ask('unsigned', 'every whole number of 64 bits without sign', '{"instances":[18446744073709551615,0]}', '{"predictions":[18446744073709551615,0]}'), // prettier-ignore
  ask('plain', 'shortest texts of float32', '{"instances":[0.1,-0.0,1e21,1e-7,16777217,3.4028235e38]}', '{"predictions":[0.1,-0.0,1e+21,1e-7,16777216.0,3.4028235e+38]}'), // prettier-ignore
  refuse('pair', 'a list for several inputs', '{"instances":[[1,2]]}', 'instances[0] is not an object with exactly a, b: expected an object with exactly a, b, got an array of 2'), // prettier-ignore
  refuse('pair', 'a missing name', '{"instances":[{"a":[1],"b":[1]},{"a":[1]}]}', 'instances[1].b is missing: expected an object with exactly a, b, got a'), // prettier-ignore
  refuse('pair', 'a name too many', '{"instances":[{"a":[1],"b":[1],"c":1}]}', 'instances[0].c is no input of the model: expected an object with exactly a, b, got a, b, c'), // prettier-ignore
  refuse('line', 'no rows', '{"instances":[]}', "Expecting 'instances' to be a list of rows: expected at least one row, got none"),
  refuse('line', 'rows that are no list', '{"instances":1}', "Expecting 'instances' to be a list of rows: expected at least one row, got no list"), // prettier-ignore
  refuse('line', 'a short row', '{"instances":[[1,2,3,4],[1,2,3]]}', '"instances[1] (input "x")" has the wrong shape: expected 4 values, got 3 values'), // prettier-ignore
  refuse('cube', 'rows of different shapes', '{"instances":[[[1,2]],[[1]]]}', 'instances[1][0] (input "x") is not as long as its neighbours: expected 2 values, got 1 values'), // prettier-ignore
  refuse('column', 'a bare value for a list of one', '{"instances":[1]}', 'instances[0] (input "x") is not an array of 1: expected an array of 1, got 1'), // prettier-ignore
  refuse('fixed', 'more rows than the model takes', '{"instances":[1,2,3]}', '"instances (input "x")" has the wrong shape: expected 2 values, got 3 values'), // prettier-ignore
  refuse('scalar', 'rows for a scalar', '{"instances":[1]}', '"instances (input "x")" has the wrong shape: expected a single value, which {"inputs": …} can tell, got 1 rows'), // prettier-ignore
  refuse('total', 'an output that has no rows', '{"instances":[1,2]}', 'Tensor name: total has inconsistent batch size: none expecting batch size: 2; ask with "inputs" instead: expected the shape [2, …], got []'), // prettier-ignore
];

const INPUT_BY_INPUT: readonly Case[] = [
  ask('line', 'the only input', '{"inputs":[[1,0,0,0]]}', '{"outputs":[[1.0]]}'),
  ask('line', 'the only input by name, and more', '{"inputs":{"x":[[1,0,0,0]],"z":1}}', '{"outputs":[[1.0]]}'),
  ask('pair', 'several inputs', '{"inputs":{"a":[[3],[2]],"b":[[4],[1]]}}', '{"outputs":{"sum":[[7.0],[3.0]],"product":[[12.0],[2.0]]}}'),
  ask('scalar', 'a scalar', '{"inputs":7}', '{"outputs":7.0}'),
  ask('total', 'outputs of different shapes', '{"inputs":[1,2]}', '{"outputs":{"y":[1.0,2.0],"total":3.0}}'),
  ask('bytes', 'base64 both ways', '{"inputs":{"x":[{"b64":"aGk="}]}}', '{"outputs":[{"b64":"aGk="}]}'),
  ask('plain', 'nothing', '{"inputs":[]}', '{"outputs":[]}'),
  refuse('pair', 'a missing input', '{"inputs":{"a":[[1]]}}', "Missing named input: b in 'inputs' object (inputs.b): expected an object with a, b, got a"), // prettier-ignore
  refuse('pair', 'a list for several inputs', '{"inputs":[[1]]}', 'inputs is not an object with a, b: expected an object with a, b, got an array of 1'), // prettier-ignore
  refuse('pair', 'a short list', '{"inputs":{"a":[[1]],"b":[[]]}}', '"inputs.b[0]" has the wrong shape: expected 1 values, got 0 values'),
  refuse('line', 'a scalar for a matrix', '{"inputs":1}', 'inputs (input "x") is not an array: expected an array, got 1'),
];

const REFUSED: readonly Case[] = [
  refuse('line', 'nothing at all', '', 'The body cannot be read as JSON: it is empty: expected one JSON value in UTF-8'),
  refuse('line', 'no object', '[]', 'JSON Parse error: the body is not an object: expected an object'),
  refuse('line', 'both forms', '{"inputs":1,"instances":1}', "Not formatted correctly: expecting only one of 'inputs' or 'instances' keys to exist: expected \"instances\" or \"inputs\", got both"), // prettier-ignore
  refuse('line', 'neither form', '{}', 'Missing \'inputs\' or \'instances\' key: expected "instances" or "inputs", got neither'),
  refuse('line', 'another signature', '{"signature_name":"s","instances":[1]}', 'Serving signature name: "s" not found in signature def: expected "serving_default", "", or nothing, got "s"'), // prettier-ignore
  refuse('line', 'a signature that is no text', '{"signature_name":1,"instances":[1]}', "When provided 'signature_name' key must be a string: expected a string"), // prettier-ignore
  refuse('plain', 'a text for a number', '{"instances":["1"]}', 'instances[0] (input "x") is not a number: expected a number, got "1"'),
  refuse('plain', 'base64 for a number', '{"instances":[{"b64":"MQ=="}]}', 'instances[0] (input "x") is not a number: expected a number, got an object'), // prettier-ignore
  refuse('plain', 'truth for a number', '{"instances":[true]}', 'instances[0] (input "x") is not a number: expected a number, got true'),
  refuse('byte', 'null for a whole number', '{"instances":[null]}', 'instances[0] (input "x") is not a whole number from 0 to 255: expected a whole number from 0 to 255, got null'), // prettier-ignore
  { title: 'null, which is NaN', path: '/v1/models/plain:predict', body: '{"instances":[null,1]}', answer: '{"predictions":[null,1.0]}', answered: { 'x-non-finite': '1' } }, // prettier-ignore
  refuse('long', 'a text for a whole number', '{"instances":["1"]}', 'instances[0] (input "x") is not a whole number: expected a whole number, got "1"'), // prettier-ignore
  refuse('long', 'a part of a number', '{"instances":[1.5]}', 'instances[0] (input "x") is not a whole number: expected a whole number, got 1.5'), // prettier-ignore
  refuse('long', 'more than 64 bits', '{"instances":[9223372036854775808]}', 'instances[0] (input "x") cannot be told exactly: a number that INT64 can hold: expected a number that INT64 can hold, got 9223372036854775808'), // prettier-ignore
  refuse('byte', 'more than 8 bits', '{"instances":[256]}', 'instances[0] (input "x") is not a whole number from 0 to 255: expected a whole number from 0 to 255, got 256'), // prettier-ignore
  refuse(
    'truth',
    'a number for truth',
    '{"instances":[1]}',
    'instances[0] (input "x") is not true or false: expected true or false, got 1',
  ),
  refuse('text', 'a number for a text', '{"instances":[1]}', 'instances[0] (input "x") is not a text without lone surrogates: expected a text without lone surrogates, got 1'), // prettier-ignore
  refuse('text', 'what is no base64', '{"instances":[{"b64":"a"}]}', 'instances[0] (input "x").b64 is not base64 with its padding: expected base64 with its padding, got "a"'), // prettier-ignore
  refuse(
    'text',
    'base64 of what is no text',
    '{"instances":[{"b64":"/w=="}]}',
    'instances[0] (input "x").b64 cannot be given to the engine as it is: expected base64 of UTF-8',
    422,
  ),
  refuse('text', 'base64 of NUL', '{"instances":[{"b64":"AA=="}]}', 'instances[0] (input "x") cannot be given to the engine as it is: expected a text without NUL', 422), // prettier-ignore
  refuse('half', 'halves', '{"instances":[1]}', 'The input "x" is of FP16, for which this dialect has no JSON: ask at /api/v1/predict or in binary at /v2: expected a datatype that TensorFlow Serving writes as JSON, got FP16', 501), // prettier-ignore
  { title: 'NaN, told as null and counted', path: '/v1/models/root:predict', body: '{"instances":[[-1],[4]]}', answer: '{"predictions":[[null],[2.0]]}', answered: { 'x-non-finite': '1' } }, // prettier-ignore
  refuse('picky', 'NaN where the metadata refuses it', '{"instances":[[-1]]}', 'The model answers NaN or infinity in "y", and its metadata says nonFinite: reject: expected finite numbers', 422), // prettier-ignore
];

/** What section 8 of the protocol says, line by line. */
export const CASES: Readonly<Record<string, readonly Case[]>> = {
  'a route': ROUTES,
  'a look': LOOKING,
  'row by row': ROW_BY_ROW,
  'input by input': INPUT_BY_INPUT,
  'a refusal': REFUSED,
};
