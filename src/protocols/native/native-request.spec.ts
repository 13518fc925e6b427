import type { ModelMetadata } from '../../models/upload/model-metadata';
import type { Datatype, Tensor, TensorSpec } from '../../runtime/tensor';
import { decodeRequest, type NativeRequest } from './native-request';

const ANY = -1;

function spec(name: string, shape: readonly number[], datatype: Datatype = 'FP32'): TensorSpec {
  return { name, datatype, shape };
}

/** Decodes a body that came as text, as every body does. */
function decode(body: string | object, inputs: TensorSpec | readonly TensorSpec[], metadata: ModelMetadata = {}): NativeRequest {
  const parsed: unknown = JSON.parse(typeof body === 'string' ? body : JSON.stringify(body));
  return decodeRequest(parsed, { signature: { inputs: [inputs].flat(), outputs: [] }, manifest: { files: [], metadata } });
}

function plain({ data, ...tensor }: Tensor): unknown {
  return { ...tensor, data: [...data] };
}

/** The only tensor of a request, its data as an array. */
function only({ inputs }: NativeRequest): unknown {
  expect(inputs).toHaveLength(1);
  return plain(inputs[0] as Tensor);
}

function refusal(code: string, field: string, expected?: string, actual?: string): Error {
  const details = { field, ...(expected !== undefined && { expected }), ...(actual !== undefined && { actual }) };
  return expect.objectContaining({ code, details: expect.objectContaining(details) });
}

const MATRIX = spec('x', [ANY, 2]);
const NAMES: ModelMetadata = { featureNames: ['age', 'height'] };

describe(decodeRequest, () => {
  describe('with one input', () => {
    it('reads one row of features in the order of the names, whatever order they come in', () => {
      const request = decode('{"features": {"height": 180, "age": 42}}', MATRIX, NAMES);
      expect(request).toMatchObject({ single: true, rows: 1 });
      expect(only(request)).toEqual({ name: 'x', datatype: 'FP32', shape: [1, 2], data: [42, 180] });
    });

    it.each([
      ['features', [{ age: 1, height: 2 }, { height: 4, age: 3 }]],
      ['instances', [{ age: 1, height: 2 }, { height: 4, age: 3 }]],
      ['features', [[1, 2], [3, 4]]],
      ['instances', [[1, 2], [3, 4]]],
      ['instances', [{ height: 2, age: 1 }, [3, 4]]],
    ] as const)('reads several rows of "%s": %j', (member, rows) => {
      const request = decode({ [member]: rows }, MATRIX, NAMES);
      expect(request).toMatchObject({ single: false, rows: 2 });
      expect(only(request)).toEqual({ name: 'x', datatype: 'FP32', shape: [2, 2], data: [1, 2, 3, 4] });
    }); // prettier-ignore

    it('reads rows without names where the names are not known', () => {
      expect(only(decode({ instances: [[1, 2]] }, MATRIX))).toMatchObject({ shape: [1, 2], data: [1, 2] });
    });

    it('answers an array of one row in the form of several', () => {
      expect(decode({ instances: [[1, 2]] }, MATRIX)).toMatchObject({ single: false, rows: 1 });
      expect(decode({ features: [{ age: 1, height: 2 }] }, MATRIX, NAMES)).toMatchObject({ single: false, rows: 1 });
    });

    it('takes as many features as there are names where the number of columns is free', () => {
      expect(only(decode({ features: { height: 2, age: 1 } }, spec('x', [ANY, ANY]), NAMES))).toMatchObject({
        shape: [1, 2],
        data: [1, 2],
      });
    });

    it('reads features whose names are those of members of every object', () => {
      const metadata = { featureNames: ['__proto__', 'constructor', 'toString'] };
      const body = '{"features": {"toString": 3, "constructor": 2, "__proto__": 1}}';
      expect(only(decode(body, spec('x', [ANY, 3]), metadata))).toMatchObject({ data: [1, 2, 3] });
    });

    it.each(['constructor', 'toString', '__proto__', 'hasOwnProperty'])(
      'never takes the "%s" that every object has for a feature',
      (name) => {
        const decoding = () => decode('{"features": {"other": 1}}', spec('x', [ANY, 1]), { featureNames: [name] });
        expect(decoding).toThrow(refusal('MISSING_FEATURE', `features.${name}`, 'a value', 'missing'));
      },
    );

    it('names a feature that is missing, and its row', () => {
      expect(() => decode({ features: { age: 1 } }, MATRIX, NAMES)).toThrow(
        refusal('MISSING_FEATURE', 'features.height', 'a value', 'missing'),
      );
      const rows = [{ age: 1, height: 2 }, { height: 2 }];
      expect(() => decode({ features: rows }, MATRIX, NAMES)).toThrow(refusal('MISSING_FEATURE', 'features[1].age'));
      expect(() => decode({ instances: rows }, MATRIX, NAMES)).toThrow(refusal('MISSING_FEATURE', 'instances[1].age'));
    });

    it('names a feature that the model does not know, and those that it knows', () => {
      const body = {
        instances: [
          { age: 1, height: 2 },
          { age: 1, height: 2, colour: 3 },
        ],
      };
      expect(() => decode(body, MATRIX, NAMES)).toThrow(refusal('UNKNOWN_FEATURE', 'instances[1].colour', 'only age, height'));
    });

    it.each(['__proto__', 'constructor', 'prototype'])('refuses a feature called "%s" like any other that it does not know', (name) => {
      const body = `{"features": {"age": 1, "height": 2, "${name}": {"polluted": true}}}`;
      expect(() => decode(body, MATRIX, NAMES)).toThrow(refusal('UNKNOWN_FEATURE', `features.${name}`));
      expect({}).not.toHaveProperty('polluted');
    });

    it('lists at most twenty of the names that it knows, and cuts the one that it does not', () => {
      const featureNames = Array.from({ length: 23 }, (_, at) => `f${at}`);
      const features = { ...Object.fromEntries(featureNames.map((name) => [name, 0])), ['g'.repeat(200)]: 1 };
      const expected = `only ${featureNames.slice(0, 20).join(', ')} and 3 more`;
      expect(() => decode({ features }, spec('x', [ANY, 23]), { featureNames })).toThrow(
        refusal('UNKNOWN_FEATURE', `features.${'g'.repeat(80)}`, expected),
      );
    });

    it.each([
      ['features.age', { features: { age: 'old', height: 2 } }],
      ['features[0].height', { features: [{ age: 1, height: null }] }],
      ['instances[1].height', { instances: [[1, 2], { age: 1, height: [2] }] }],
      [
        'instances[1][0]',
        {
          instances: [
            [1, 2],
            ['3', 4],
          ],
        },
      ],
      ['features[0][1]', { features: [[1, {}]] }],
    ])('says that %s is no number', (field, body) => {
      expect(() => decode(body, MATRIX, NAMES)).toThrow(refusal('INVALID_VALUE', field, 'a number'));
    });

    it('says which number it cannot hold', () => {
      const body = '{"instances": [[1, 2], [3, 1e999]]}';
      expect(() => decode(body, MATRIX)).toThrow(
        refusal('NUMBER_NOT_REPRESENTABLE', 'instances[1][1]', 'a number that FP32 can hold', 'Infinity'),
      );
    });

    it.each([
      [{ instances: [[1, 2], [3]] }, 'instances[1]', '1 values'],
      [{ instances: [[1, 2, 3]] }, 'instances[0]', '3 values'],
      [{ instances: [[]] }, 'instances[0]', '0 values'],
    ])('refuses %j, a row that is not as long as the model says', (body, field, actual) => {
      expect(() => decode(body, MATRIX)).toThrow(refusal('SHAPE_MISMATCH', field, '2 values', actual));
    });

    it.each([
      [{ features: 7 }, 'features', '7'],
      [{ features: null }, 'features', 'null'],
      [{ features: 'age=1' }, 'features', '"age=1"'],
      [{ features: [1, 2] }, 'features[0]', '1'],
      [{ instances: [[1, 2], 3] }, 'instances[1]', '3'],
    ])('refuses %j, a row that is neither an array nor an object', (body, field, actual) => {
      expect(() => decode(body, MATRIX, NAMES)).toThrow(refusal('INVALID_VALUE', field, 'an array of 2', actual));
    });
  });

  describe('without the names of the features', () => {
    it('prints the metadata line to send', () => {
      const line = 'the values as an array, or a version uploaded with the metadata {"featureNames": ["name 1", "name 2"]}';
      expect(() => decode({ features: { age: 1, height: 2 } }, MATRIX)).toThrow(
        refusal('FEATURE_NAMES_MISSING', 'features', line, 'an object of features'),
      );
      expect(() => decode({ instances: [[1, 2], { age: 1, height: 2 }] }, MATRIX)).toThrow(
        refusal('FEATURE_NAMES_MISSING', 'instances[1]', line),
      );
    });

    it.each([9, ANY])('begins the line where a row has %d columns', (columns) => {
      const line = 'the values as an array, or a version uploaded with the metadata {"featureNames": ["name 1", …]}';
      expect(() => decode({ features: { age: 1 } }, spec('x', [ANY, columns]))).toThrow(refusal('FEATURE_NAMES_MISSING', 'features', line));
    });

    it.each([[[ANY, 2, 3]], [[ANY]], [[]]])('prints no line that an upload would refuse, where the input is no matrix but %j', (shape) => {
      const decoding = () => decode({ features: { age: 1 } }, spec('x', shape));
      expect(decoding).toThrow(refusal('FEATURE_NAMES_MISSING', 'features', 'the values as an array: the input is no matrix of features'));
    });
  });

  describe('with nested dimensions', () => {
    const CUBE = spec('image', [ANY, 2, 3], 'INT32');

    it('reads each row as arrays in arrays', () => {
      const rows = [
        [
          [1, 2, 3],
          [4, 5, 6],
        ],
        [
          [7, 8, 9],
          [10, 11, 12],
        ],
      ];
      const data = Array.from({ length: 12 }, (_, at) => at + 1);
      expect(only(decode({ instances: rows }, CUBE))).toEqual({ name: 'image', datatype: 'INT32', shape: [2, 2, 3], data });
    });

    it.each([
      [[[1, 2, 3]], 'instances[0]', 'SHAPE_MISMATCH', '2 values', '1 values'],
      [[[1, 2, 3], [4, 5]], 'instances[0][1]', 'SHAPE_MISMATCH', '3 values', '2 values'],
      [[[1, 2, 3], 4], 'instances[0][1]', 'INVALID_VALUE', 'an array of 3', '4'],
      [[[1, 2, 3], [4, 'x', 6]], 'instances[0][1][1]', 'INVALID_VALUE', 'a whole number from -2147483648 to 2147483647', '"x"'],
      [[[1, 2, 3], [4, [5], 6]], 'instances[0][1][1]', 'INVALID_VALUE', 'a whole number from -2147483648 to 2147483647', 'an array of 1'],
    ])('refuses the row %j at %s', (row, field, code, expected, actual) => {
      expect(() => decode({ instances: [row] }, CUBE)).toThrow(refusal(code, field, expected, actual));
    }); // prettier-ignore

    it('takes a free dimension from the first row', () => {
      expect(
        only(
          decode(
            {
              instances: [
                [
                  [1, 2],
                  [3, 4],
                ],
                [
                  [5, 6],
                  [7, 8],
                ],
              ],
            },
            spec('x', [ANY, ANY, ANY]),
          ),
        ),
      ).toMatchObject({ shape: [2, 2, 2], data: [1, 2, 3, 4, 5, 6, 7, 8] });
    });

    it.each([
      [[[1, 2, 3], [4, 5]], [ANY, ANY], 'instances[1]', '3 values', '2 values'],
      [[[[1], [2]], [[3]]], [ANY, ANY, 1], 'instances[1]', '2 values', '1 values'],
      [[[[1, 2], [3]]], [ANY, 2, ANY], 'instances[0][1]', '2 values', '1 values'],
    ])('calls %j ragged where the dimension is free', (instances, shape, field, expected, actual) => {
      expect(() => decode({ instances }, spec('x', shape))).toThrow(refusal('RAGGED_ROWS', field, expected, actual));
    }); // prettier-ignore

    it('asks for an array of any length where a free dimension has none yet', () => {
      expect(() => decode({ instances: [5] }, spec('x', [ANY, ANY]))).toThrow(refusal('INVALID_VALUE', 'instances[0]', 'an array', '5'));
    });

    it('takes a row without elements where the model takes any number of them', () => {
      expect(only(decode({ instances: [[], []] }, spec('x', [ANY, ANY])))).toMatchObject({ shape: [2, 0], data: [] });
    });

    it.each([[[ANY, 2 ** 31]], [[ANY, 2 ** 20, 2 ** 20]]])('makes no room for what the rows do not hold: %j', (shape) => {
      expect(() => decode({ instances: [[0]] }, spec('x', shape))).toThrow(refusal('SHAPE_MISMATCH', 'instances[0]', `${shape[1]} values`));
      const rows = Array.from({ length: 1000 }, () => 0);
      expect(() => decode({ instances: rows }, spec('x', shape, 'BYTES'))).toThrow(refusal('INVALID_VALUE', 'instances[0]'));
    });
  });

  describe('with one number a row', () => {
    it('reads a vector', () => {
      expect(only(decode({ instances: [1, 2, 3] }, spec('x', [ANY])))).toMatchObject({ shape: [3], data: [1, 2, 3] });
      expect(decode({ features: 5 }, spec('x', [ANY]))).toMatchObject({ single: true, inputs: [{ shape: [1] }] });
    });

    it('reads a single value where the input has no dimension', () => {
      expect(only(decode({ features: 5 }, spec('x', [])))).toMatchObject({ shape: [], data: [5] });
      expect(only(decode({ instances: [5] }, spec('x', [])))).toMatchObject({ shape: [], data: [5] });
    });

    it('refuses several rows where the input has no dimension', () => {
      const decoding = () => decode({ instances: [5, 6] }, spec('x', []));
      expect(decoding).toThrow(refusal('SHAPE_MISMATCH', 'x', 'one row: the input is a single value', '2 rows'));
    });

    it('names the row of a value that is none', () => {
      expect(() => decode({ instances: [1, [2]] }, spec('x', [ANY]))).toThrow(
        refusal('INVALID_VALUE', 'instances[1]', 'a number', 'an array of 1'),
      );
    });
  });

  describe('with several inputs', () => {
    const INPUTS = [spec('age', [ANY, 1]), spec('city', [ANY, 1], 'BYTES'), spec('scores', [ANY, 2], 'FP64')];

    it('reads each row by the names of the inputs, in the order of the model', () => {
      const rows = [
        { scores: [0.5, 1.5], city: 'Bern', age: 41 },
        { age: 42, city: 'Basel', scores: [2.5, 3.5] },
      ];
      const request = decode({ instances: rows }, INPUTS);
      expect(request).toMatchObject({ single: false, rows: 2 });
      expect(request.inputs.map(plain)).toEqual([
        { name: 'age', datatype: 'FP32', shape: [2, 1], data: [41, 42] },
        { name: 'city', datatype: 'BYTES', shape: [2, 1], data: ['Bern', 'Basel'] },
        { name: 'scores', datatype: 'FP64', shape: [2, 2], data: [0.5, 1.5, 2.5, 3.5] },
      ]);
    });

    it('takes a lone value and an array of one where an input has one column', () => {
      const features = [
        { age: [41], city: 'Bern', scores: [0, 0] },
        { age: 42, city: ['Basel'], scores: [0, 0] },
      ];
      const { inputs } = decode({ features }, INPUTS);
      expect(inputs.slice(0, 2).map(plain)).toMatchObject([{ data: [41, 42] }, { data: ['Bern', 'Basel'] }]);
    });

    it('does not need the names of features for a row of inputs', () => {
      expect(decode({ features: { age: 1, city: 'Bern', scores: [0, 0] } }, INPUTS)).toMatchObject({ single: true, rows: 1 });
    });

    it.each([
      [{ age: 1, city: 'Bern' }, 'MISSING_FEATURE', 'features.scores', 'a value', 'missing'],
      [{ age: 1, city: 'Bern', scores: [0, 0], more: 1 }, 'UNKNOWN_FEATURE', 'features.more', 'only age, city, scores', 'one more'],
      [{ age: 'old', city: 'Bern', scores: [0, 0] }, 'INVALID_VALUE', 'features.age', 'a number', '"old"'],
      [{ age: ['old'], city: 'Bern', scores: [0, 0] }, 'INVALID_VALUE', 'features.age[0]', 'a number', '"old"'],
      [{ age: [1, 2], city: 'Bern', scores: [0, 0] }, 'SHAPE_MISMATCH', 'features.age', '1 values', '2 values'],
      [{ age: 1, city: 'Bern', scores: [0, null] }, 'INVALID_VALUE', 'features.scores[1]', 'a number', 'null'],
      [{ age: 1, city: 'Bern', scores: 0 }, 'INVALID_VALUE', 'features.scores', 'an array of 2', '0'],
    ])('refuses the row %j', (features, code, field, expected, actual) => {
      expect(() => decode({ features }, INPUTS)).toThrow(refusal(code, field, expected, actual));
    });

    it('refuses a row that is no object', () => {
      const decoding = () => decode({ instances: [[1, 'Bern', [0, 0]]] }, INPUTS);
      expect(decoding).toThrow(refusal('INVALID_VALUE', 'instances[0]', 'an object with age, city, scores', 'an array of 3'));
    });

    it('reads a single value for an input without a dimension', () => {
      const { inputs } = decode({ features: { threshold: 0.5, x: [1, 2] } }, [MATRIX, spec('threshold', [])]);
      expect(inputs.map(plain)).toMatchObject([{ shape: [1, 2] }, { shape: [], data: [0.5] }]);
    });
  });

  describe('of a body that is not in its grammar', () => {
    it.each([
      ['null', 'body'],
      ['7', 'body'],
      ['"features"', 'body'],
      ['true', 'body'],
      ['[]', 'body'],
      ['[{"features": {}}]', 'body'],
    ])('refuses %s, which is no object', (body, field) => {
      expect(() => decode(body, MATRIX)).toThrow(refusal('MALFORMED_BODY', field, 'one member, "features" or "instances"'));
    });

    it.each([
      ['{}', 'none'],
      ['{"rows": [[1, 2]]}', 'rows'],
      ['{"features": {}, "instances": []}', 'features, instances'],
      ['{"instances": [[1, 2]], "parameters": {}}', 'instances, parameters'],
      ['{"__proto__": [[1, 2]]}', '__proto__'],
      ['{"features": [[1, 2]], "__proto__": 1}', 'features, __proto__'],
      ['{"Features": {}}', 'Features'],
      ['{"features": 1, "b": 1, "c": 1, "d": 1, "e": 1, "f": 1}', 'features, b, c, d, e'],
    ])('refuses %s, which has not just features or instances', (body, actual) => {
      expect(() => decode(body, MATRIX)).toThrow(refusal('MALFORMED_BODY', 'body', 'one member, "features" or "instances"', actual));
    });

    it.each(['features', 'instances'])('refuses %s without a row', (member) => {
      expect(() => decode({ [member]: [] }, MATRIX)).toThrow(refusal('MALFORMED_BODY', member, 'at least one row', 'none'));
    });

    it.each([{ age: 1 }, 7, 'rows', null])('refuses instances that are no array: %j', (instances) => {
      expect(() => decode({ instances }, MATRIX, NAMES)).toThrow(refusal('MALFORMED_BODY', 'instances', 'an array of rows'));
    });
  });

  it('reads a thousand rows in their order', () => {
    const rows = Array.from({ length: 1000 }, (_, at) => ({ height: at + 0.5, age: at }));
    const request = decode({ features: rows }, MATRIX, NAMES);
    expect(request.rows).toBe(1000);
    const data = rows.flatMap(({ age, height }) => [age, height]);
    expect(only(request)).toEqual({ name: 'x', datatype: 'FP32', shape: [1000, 2], data });
  });
});
