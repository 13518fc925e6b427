import { Chance } from '../../../test/crash/power-cut-random';
import { AppError } from '../../errors/app-error';
import type { Datatype, Tensor, TensorSpec } from '../../runtime/tensor';
import { parseTensorJson } from '../../wire/strict-json';
import { decodePredict, formOf, type PredictRequest } from './predict-request';

const ANY = -1;

function spec(name: string, shape: readonly number[], datatype: Datatype = 'FP32'): TensorSpec {
  return { name, datatype, shape };
}

const MATRIX = spec('x', [ANY, 2]);
const PAIR = [spec('a', [ANY]), spec('b', [ANY, 2])];

/** Decodes a body that came as text, as every body does. */
function decode(body: string, inputs: TensorSpec | readonly TensorSpec[], outputs: readonly TensorSpec[] = []): PredictRequest {
  const json = parseTensorJson(Buffer.from(body));
  return decodePredict(formOf(json.value), json.exact(), { inputs: [inputs].flat(), outputs });
}

function plain({ name, shape, data }: Tensor): unknown {
  return { name, shape, data: [...data] };
}

/** What a body is refused for. */
function refusal(body: string, inputs: TensorSpec | readonly TensorSpec[], outputs: readonly TensorSpec[] = []): AppError {
  try {
    decode(body, inputs, outputs);
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error(`not refused: ${body}`);
}

function told(error: AppError): readonly unknown[] {
  const { expected, actual } = error.details;
  return [error.code, error.message, expected, actual];
}

describe(decodePredict, () => {
  it.each<[string, TensorSpec, object]>([
    ['{"instances":[[1,2],[3,4]]}', MATRIX, { rows: 2, shape: [2, 2], data: [1, 2, 3, 4] }],
    ['{"instances":[{"x":[1,2]},{"x":[3,4]}]}', MATRIX, { rows: 2, shape: [2, 2], data: [1, 2, 3, 4] }],
    ['{"instances":[1,2,3]}', spec('x', [ANY]), { rows: 3, shape: [3], data: [1, 2, 3] }],
    ['{"instances":[{"x":1}]}', spec('x', [ANY]), { rows: 1, shape: [1], data: [1] }],
    ['{"instances":[[[1],[2]]]}', spec('x', [ANY, ANY, 1]), { rows: 1, shape: [1, 2, 1], data: [1, 2] }],
    ['{"instances":[[],[]]}', spec('x', [ANY, ANY]), { rows: 2, shape: [2, 0], data: [] }],
    ['{"instances":[[1,2]],"more":true,"signature_name":""}', MATRIX, { rows: 1, shape: [1, 2], data: [1, 2] }],
    ['{"inputs":[[1,2],[3,4]]}', MATRIX, { rows: undefined, shape: [2, 2], data: [1, 2, 3, 4] }],
    ['{"inputs":{"x":[[1,2]],"y":"ignored"}}', MATRIX, { rows: undefined, shape: [1, 2], data: [1, 2] }],
    ['{"inputs":7}', spec('x', []), { rows: undefined, shape: [], data: [7] }],
    ['{"inputs":{"x":7}}', spec('x', []), { rows: undefined, shape: [], data: [7] }],
    ['{"inputs":[]}', spec('x', [ANY]), { rows: undefined, shape: [0], data: [] }],
    ['{"inputs":[]}', MATRIX, { rows: undefined, shape: [0, 2], data: [] }],
    ['{"inputs":{"b64":"aGk="}}', spec('x', [], 'BYTES'), { rows: undefined, shape: [], data: ['hi'] }],
    ['{"instances":[{"b64":"aGk="},"ho"]}', spec('x', [ANY], 'BYTES'), { rows: 2, shape: [2], data: ['hi', 'ho'] }],
    ['{"instances":[{"x":{"b64":"8J+Qjg=="}}]}', spec('x', [ANY], 'BYTES'), { rows: 1, shape: [1], data: ['🐎'] }],
    ['{"instances":[{"b64":""}]}', spec('b64', [ANY], 'BYTES'), { rows: 1, shape: [1], data: [''] }],
    ['{"inputs":[1,null]}', spec('x', [2]), { rows: undefined, shape: [2], data: [1, Number.NaN] }],
    ['{"inputs":null}', spec('x', [], 'FP64'), { rows: undefined, shape: [], data: [Number.NaN] }],
    ['{"inputs":[true,false]}', spec('x', [2], 'BOOL'), { rows: undefined, shape: [2], data: [1, 0] }],
    ['{"inputs":[1.0,2e0,-0]}', spec('x', [3], 'INT8'), { rows: undefined, shape: [3], data: [1, 2, 0] }],
    ['{"inputs":[9223372036854775807]}', spec('x', [1], 'INT64'), { rows: undefined, shape: [1], data: [2n ** 63n - 1n] }],
  ])('reads %s', (body, input, { rows, shape, data }: { rows?: number; shape?: object; data?: object }) => {
    const { inputs, rows: asked } = decode(body, input);
    expect({ asked, inputs: inputs.map(plain) }).toEqual({ asked: rows, inputs: [{ name: input.name, shape, data }] });
  });

  it('reads several inputs by name, row by row and input by input', () => {
    const expected = [{ name: 'a', shape: [2], data: [1, 4] }, { name: 'b', shape: [2, 2], data: [2, 3, 5, 6] }]; // prettier-ignore
    expect(decode('{"instances":[{"a":1,"b":[2,3]},{"b":[5,6],"a":4}]}', PAIR).inputs.map(plain)).toEqual(expected);
    expect(decode('{"inputs":{"b":[[2,3],[5,6]],"a":[1,4],"c":0}}', PAIR).inputs.map(plain)).toEqual(expected);
  });

  it.each<[string, string, string, string, string, string | undefined]>([
    ['no object', '[1]', 'MALFORMED_BODY', 'JSON Parse error: the body is not an object', 'an object', undefined],
    ['neither form', '{}', 'MALFORMED_BODY', "Missing 'inputs' or 'instances' key", '"instances" or "inputs"', 'neither'],
    ['both forms', '{"inputs":1,"instances":1}', 'MALFORMED_BODY', "Not formatted correctly: expecting only one of 'inputs' or 'instances' keys to exist", '"instances" or "inputs"', 'both'],
    ['another signature', '{"signature_name":"s"}', 'SIGNATURE_UNKNOWN', 'Serving signature name: "s" not found in signature def', '"serving_default", "", or nothing', '"s"'],
    ['a signature that is no text', '{"signature_name":null}', 'MALFORMED_BODY', "When provided 'signature_name' key must be a string", 'a string', undefined],
    ['no rows', '{"instances":[]}', 'MALFORMED_BODY', "Expecting 'instances' to be a list of rows", 'at least one row', 'none'],
    ['rows that are no list', '{"instances":{"x":1}}', 'MALFORMED_BODY', "Expecting 'instances' to be a list of rows", 'at least one row', 'no list'],
    ['a longer row', '{"instances":[[1,2],[1,2,3]]}', 'SHAPE_MISMATCH', '"instances[1] (input "x")" has the wrong shape', '2 values', '3 values'],
    ['a value for a list', '{"instances":[1,2]}', 'INVALID_VALUE', 'instances[0] (input "x") is not an array of 2', 'an array of 2', '1'],
    ['a list for a value', '{"instances":[[1,[2]]]}', 'INVALID_VALUE', 'instances[0][1] (input "x") is not a number', 'a number', 'an array of 1'],
    ['a value, then an object', '{"instances":[[1,2],{"x":[1,2]}]}', 'INVALID_VALUE', 'instances[1] (input "x") is not an array of 2', 'an array of 2', 'an object'],
    ['an object, then a value', '{"instances":[{"x":[1,2]},[1,2]]}', 'INVALID_VALUE', 'instances[1] is not an object with exactly x', 'an object with exactly x', 'an array of 2'],
    ['another name', '{"instances":[{"y":[1,2]}]}', 'MALFORMED_BODY', 'instances[0].x is missing', 'an object with exactly x', 'y'],
    ['one name more', '{"instances":[{"x":[1,2]},{"x":[1,2],"y":1}]}', 'MALFORMED_BODY', 'instances[1].y is no input of the model', 'an object with exactly x', 'x, y'],
    ['a text for a number', '{"instances":[[1,"2"]]}', 'INVALID_VALUE', 'instances[0][1] (input "x") is not a number', 'a number', '"2"'],
    ['base64 for a number', '{"inputs":[[1,{"b64":"aGk="}]]}', 'INVALID_VALUE', 'inputs[0][1] (input "x") is not a number', 'a number', 'an object'],
    ['truth for a number', '{"inputs":{"x":[[1,true]]}}', 'INVALID_VALUE', 'inputs.x[0][1] is not a number', 'a number', 'true'],
    ['a number beyond float32', '{"inputs":[[1,1e39]]}', 'NUMBER_NOT_REPRESENTABLE', 'inputs[0][1] (input "x") cannot be told exactly: a number that FP32 can hold', 'a number that FP32 can hold', '1e+39'],
    ['no such name', '{"inputs":{"y":[[1,2]]}}', 'MALFORMED_BODY', "Missing named input: x in 'inputs' object", 'an object with x', 'y'],
    ['nothing', '{"inputs":null}', 'INVALID_VALUE', 'inputs (input "x") is not an array', 'an array', 'null'],
  ])('refuses %s: %s', (_what, body, code, message, expected, actual) => {
    expect(told(refusal(body, MATRIX))).toEqual([code, message, expected, actual]);
  }); // prettier-ignore

  it.each<[TensorSpec | readonly TensorSpec[], string, readonly unknown[]]>([
    [spec('x', [ANY, ANY]), '{"instances":[[1,2],[1]]}', ['RAGGED_ROWS', 'instances[1] (input "x") is not as long as its neighbours', '2 values', '1 values']],
    [spec('x', [ANY, ANY]), '{"instances":[{"x":[1]},{"x":[]}]}', ['RAGGED_ROWS', 'instances[1].x is not as long as its neighbours', '1 values', '0 values']],
    [spec('x', [ANY, ANY, ANY]), '{"inputs":{"x":[[[1]],[[1,2]]]}}', ['RAGGED_ROWS', 'inputs.x[1][0] is not as long as its neighbours', '1 values', '2 values']],
    [spec('x', [ANY, 1]), '{"instances":[5]}', ['INVALID_VALUE', 'instances[0] (input "x") is not an array of 1', 'an array of 1', '5']],
    [spec('x', [1, 2]), '{"instances":[[1,2],[3,4]]}', ['SHAPE_MISMATCH', '"instances (input "x")" has the wrong shape', '1 values', '2 values']],
    [spec('x', []), '{"instances":[5]}', ['SHAPE_MISMATCH', '"instances (input "x")" has the wrong shape', 'a single value, which {"inputs": …} can tell', '1 rows']],
    [PAIR, '{"instances":[[1,2]]}', ['INVALID_VALUE', 'instances[0] is not an object with exactly a, b', 'an object with exactly a, b', 'an array of 2']],
    [PAIR, '{"inputs":[1]}', ['INVALID_VALUE', 'inputs is not an object with a, b', 'an object with a, b', 'an array of 1']],
    [PAIR, '{"instances":[{"a":1,"b":[1,2]},{"a":1,"b":[1,"2"]}]}', ['INVALID_VALUE', 'instances[1].b[1] is not a number', 'a number', '"2"']],
    [spec('x', [ANY], 'INT32'), '{"instances":[1.5]}', ['INVALID_VALUE', 'instances[0] (input "x") is not a whole number from -2147483648 to 2147483647', 'a whole number from -2147483648 to 2147483647', '1.5']],
    [spec('x', [ANY], 'INT64'), '{"instances":["5"]}', ['INVALID_VALUE', 'instances[0] (input "x") is not a whole number', 'a whole number', '"5"']],
    [spec('x', [ANY], 'INT64'), '{"instances":[9223372036854775808]}', ['NUMBER_NOT_REPRESENTABLE', 'instances[0] (input "x") cannot be told exactly: a number that INT64 can hold', 'a number that INT64 can hold', '9223372036854775808']],
    [spec('x', [ANY], 'INT8'), '{"instances":[null]}', ['INVALID_VALUE', 'instances[0] (input "x") is not a whole number from -128 to 127', 'a whole number from -128 to 127', 'null']],
    [spec('x', [ANY], 'BOOL'), '{"instances":[1]}', ['INVALID_VALUE', 'instances[0] (input "x") is not true or false', 'true or false', '1']],
    [spec('x', [ANY], 'BYTES'), '{"instances":[5]}', ['INVALID_VALUE', 'instances[0] (input "x") is not a text without lone surrogates', 'a text without lone surrogates', '5']],
    [spec('x', [ANY], 'BYTES'), '{"instances":[{"b64":"AA=="}]}', ['TEXT_NOT_REPRESENTABLE', 'instances[0] (input "x") cannot be given to the engine as it is', 'a text without NUL', undefined]],
    [spec('x', [ANY], 'BYTES'), '{"instances":[{"b64":"/w=="}]}', ['TEXT_NOT_REPRESENTABLE', 'instances[0] (input "x").b64 cannot be given to the engine as it is', 'base64 of UTF-8', undefined]],
    ...['"aGk"', '"aG k="', '"aGl="', '"a-_="', '5', 'null', '["aGk="]'].map((b64): [TensorSpec, string, readonly unknown[]] => {
      return [spec('x', [ANY], 'BYTES'), `{"instances":[{"b64":${b64}}]}`, ['INVALID_VALUE', 'instances[0] (input "x").b64 is not base64 with its padding', 'base64 with its padding', expect.any(String)]];
    }),
    [spec('x', [ANY], 'BYTES'), '{"inputs":[{"b64":"aGk=","more":1}]}', ['INVALID_VALUE', 'inputs[0] (input "x") is not a text without lone surrogates', 'a text without lone surrogates', 'an object']],
  ])('refuses for %j: %s', (inputs, body, expected) => {
    expect(told(refusal(body, inputs))).toEqual(expected);
  }); // prettier-ignore

  it.each(['input', 'output'] as const)('says that it has no JSON for halves, and names the %s', (side) => {
    const half = [spec('h', [ANY], 'FP16')];
    const error = side === 'input' ? refusal('{"inputs":[]}', half) : refusal('{"inputs":[]}', MATRIX, half);
    expect(error).toMatchObject({ code: 'DATATYPE_WITHOUT_JSON', kind: 'unsupported', details: { field: 'h', actual: 'FP16' } });
    expect(error.message).toContain(`The ${side} "h" is of FP16`);
  });

  it('makes no room for elements that did not come', () => {
    const body = `{"instances":[[${'0,'.repeat(1_000_000)}0]${',[]'.repeat(1_000_000)}]}`;
    expect(refusal(body, spec('x', [ANY, ANY]))).toMatchObject({ code: 'RAGGED_ROWS', details: { field: 'instances[1] (input "x")' } });
  });
});

const { seed } = Chance;

describe(`a lie about a shape (CRASH_SEED=${seed})`, () => {
  const LIES = [
    '"text"',
    'true',
    '{}',
    '{"x":1}',
    '[]',
    '[[]]',
    '[[[1]]]',
    '[1,2,3,4,5]',
    '{"b64":"aGk="}',
    '1e999',
    '[['.repeat(25) + ']]'.repeat(25),
  ];
  const SPECS = [spec('x', [ANY, 3]), spec('x', [ANY, ANY, 2]), spec('x', [ANY, ANY], 'INT64'), spec('x', [ANY, 2], 'INT8')];

  /** A valid tensor whose list or element at a random place is something else. @returns what is wrong, and how deep */
  function lie(chance: Chance, { shape }: TensorSpec): { readonly text: string; readonly depth: number } {
    const lengths = shape.map((length) => (length === ANY ? chance.whole(2, 4) : length));
    const depth = chance.whole(1, lengths.length);
    const place = lengths.slice(0, depth).map((length) => chance.whole(0, length - 1));
    const write = (trail: readonly number[]): string => {
      if (trail.length === depth && trail.every((index, axis) => index === place[axis])) return chance.oneOf(LIES);
      const length = lengths[trail.length];
      if (length === undefined) return '1';
      return `[${Array.from({ length }, (_, at) => write([...trail, at])).join(',')}]`;
    };
    return { text: write([]), depth };
  }

  it('is refused by name and index, and is never a fault of ours', () => {
    const chance = new Chance(seed);
    for (let round = 0; round < 20_000; round++) {
      const input = chance.oneOf(SPECS);
      const { text } = lie(chance, input);
      const form = chance.oneOf(['{"instances":@}', '{"inputs":@}', '{"inputs":{"x":@}}']);
      const { message, kind } = refusal(
        form.replace('@', () => text),
        input,
      );
      const named = /(instances|inputs)(\.x)?\[\d\]/.test(message) && /\(input "x"\)|\.x(\[| is missing)|with exactly x$/.test(message);
      if (!named || !['malformed', 'invalid'].includes(kind)) throw new Error(`${form} ${text}: ${kind}, ${message}`);
    }
    expect(chance.seed).toBe(seed);
  });
});
