import type { ModelMetadata } from '../../models/upload/model-metadata';
import type { VersionRecord } from '../../models/registry/registry-records';
import { type Datatype, emptyData, type Tensor, type TensorSpec } from '../../runtime/tensor';
import { encodeAnswer } from './native-answer';

const NOW = new Date('2026-11-22T12:00:00.000Z');
const ABOUT = { timestamp: '2026-11-22T12:00:00.000Z', model: 'iris', model_version: 3 };
const ANY = -1;

type Element = number | bigint | string;

/** An output of a run, with what the signature says of it. */
function output(name: string, datatype: Datatype, shape: readonly number[], elements: readonly Element[]): Tensor {
  const data = emptyData(datatype, elements.length);
  elements.forEach((element, at) => ((data as { [at: number]: Element })[at] = element));
  return { name, datatype, shape, data };
}

function floats(name: string, shape: readonly number[], ...elements: readonly number[]): Tensor {
  return output(name, 'FP64', shape, elements);
}

interface Question {
  readonly rows?: number;
  /** Whether one row was asked for, outside of any array; default where there is one. */
  readonly single?: boolean;
  /** Default: the shapes of the outputs, their first dimension free. */
  readonly signature?: readonly TensorSpec[];
  /** The classes that the model names itself. */
  readonly labels?: readonly (string | number)[];
}

function answer(metadata: ModelMetadata, outputs: readonly Tensor[], { rows = 1, single = rows === 1, signature, labels }: Question = {}) {
  const specs =
    signature ?? outputs.map(({ name, datatype, shape }) => ({ name, datatype, shape: [ANY, ...shape.slice(1)].slice(0, shape.length) }));
  const version: VersionRecord = {
    model: 'iris',
    version: 3,
    digest: '0'.repeat(64),
    executable: '1'.repeat(64),
    engine: 'onnx',
    manifest: { files: [], metadata },
    signature: { inputs: [], outputs: specs },
    blob: '',
    blobs: [],
    publishedAt: NOW.toISOString(),
    publishedBy: 'anonymous',
    stage: 'production',
    ...(labels && { labels }),
  };
  const encoded = encodeAnswer({ single, rows, inputs: [] }, { outputs }, version, NOW);
  const text = JSON.stringify(encoded.body);
  return { ...encoded, text, body: JSON.parse(text) as unknown };
}

const LABELS = { labels: ['setosa', 'versicolor', 'virginica'] };

describe(encodeAnswer, () => {
  describe('of a regression', () => {
    it('answers one row with its number', () => {
      expect(answer({}, [floats('y', [1, 1], 7.5)]).body).toEqual({ prediction: 7.5, confidence: null, ...ABOUT });
    });

    it('answers several rows in their order', () => {
      const { body } = answer({}, [floats('y', [3, 1], 1, 2, 3)], { rows: 3 });
      const predictions = [1, 2, 3].map((prediction) => ({ prediction, confidence: null }));
      expect(body).toEqual({ predictions, ...ABOUT });
    });

    it('answers an array of one row in the form of several', () => {
      const { body } = answer({}, [floats('y', [1], 7.5)], { single: false });
      expect(body).toEqual({ predictions: [{ prediction: 7.5, confidence: null }], ...ABOUT });
    });

    it.each([
      [[1, 1], [7], 7],
      [[1], [7], 7],
      [[], [7], 7],
      [[1, 3], [7, 8, 9], [7, 8, 9]],
      [[1, 2, 2], [1, 2, 3, 4], [[1, 2], [3, 4]]],
      [[1, 1, 1], [7], [[7]]],
      [[1, 0], [], []],
      [[3], [7, 8, 9], [7, 8, 9]],
      [[2, 1], [7, 8], [[7], [8]]],
    ])('answers one row with an output of shape %j in that form', (shape, elements, prediction) => {
      const signature = [{ name: 'y', datatype: 'FP64' as const, shape: shape.map(() => ANY) }];
      expect(answer({}, [floats('y', shape, ...elements)], { signature }).body).toMatchObject({ prediction });
    }); // prettier-ignore

    it('answers each of several rows with its own part of a nested output', () => {
      const { body } = answer({}, [floats('y', [2, 2, 2], 1, 2, 3, 4, 5, 6, 7, 8)], { rows: 2 });
      expect(body).toMatchObject({
        predictions: [
          {
            prediction: [
              [1, 2],
              [3, 4],
            ],
          },
          {
            prediction: [
              [5, 6],
              [7, 8],
            ],
          },
        ],
      });
    });

    it('names all outputs where there are several, and predicts the first', () => {
      const outputs = [floats('mean', [2, 1], 1, 2), floats('quantiles', [2, 2], 0.5, 1.5, 1.75, 2.25)];
      expect(answer({ task: 'regression' }, outputs, { rows: 2 }).body).toEqual({
        predictions: [
          { prediction: 1, confidence: null, outputs: { mean: 1, quantiles: [0.5, 1.5] } },
          { prediction: 2, confidence: null, outputs: { mean: 2, quantiles: [1.75, 2.25] } },
        ],
        ...ABOUT,
      });
    });

    it.each(['regression', 'other'] as const)('takes no output for labels where the task is "%s"', (task) => {
      const outputs = [floats('y', [1, 2], 7.5, 0.5), output('count', 'INT64', [1], [3n])];
      expect(answer({ task }, outputs).body).toMatchObject({ prediction: [7.5, 0.5], confidence: null });
      expect(answer({}, outputs).body).toMatchObject({ prediction: 3, confidence: 7.5 });
    });

    it('is refused where an output has no part for each row', () => {
      const outputs = [floats('y', [2, 1], 1, 2), floats('summary', [1], 9)];
      const details = { field: 'instances', expected: '1 row', actual: '2 rows' };
      expect(() => answer({}, outputs, { rows: 2 })).toThrow(expect.objectContaining({ code: 'ROWS_NOT_SEPARABLE', details }));
      expect(() => answer({}, outputs, { rows: 2 })).toThrow('"summary"');
      expect(() => answer({}, [floats('scalar', [], 9)], { rows: 2 })).toThrow('"scalar"');
    });
  });

  describe('of a classifier', () => {
    it('answers the label of the winning class, with the probability of each', () => {
      expect(answer(LABELS, [floats('p', [1, 3], 0.25, 0.5, 0.25)]).body).toEqual({
        prediction: 'versicolor',
        confidence: 0.5,
        probabilities: { setosa: 0.25, versicolor: 0.5, virginica: 0.25 },
        ...ABOUT,
      });
    });

    it('answers each of several rows', () => {
      const { body } = answer(LABELS, [floats('p', [2, 3], 0.75, 0.25, 0, 0, 0, 1)], { rows: 2 });
      expect(body).toMatchObject({
        predictions: [
          { prediction: 'setosa', confidence: 0.75 },
          { prediction: 'virginica', confidence: 1, probabilities: { setosa: 0, versicolor: 0, virginica: 1 } },
        ],
      });
    });

    it('takes the first of classes that are equally probable', () => {
      expect(answer(LABELS, [floats('p', [1, 3], 0.25, 0.375, 0.375)]).body).toMatchObject({ prediction: 'versicolor' });
    });

    it("answers the model's own label where none are known, and the probabilities in the model's order", () => {
      const outputs = [output('label', 'INT64', [1], [9n]), floats('p', [1, 3], 0.25, 0.5, 0.25)];
      expect(answer({}, outputs).body).toEqual({
        prediction: 9,
        confidence: 0.5,
        probabilities: [0.25, 0.5, 0.25],
        outputs: { label: 9, p: [0.25, 0.5, 0.25] },
        ...ABOUT,
      });
    });

    it("answers the model's own label although its probabilities favour another class", () => {
      const outputs = [output('label', 'INT64', [1], [2n]), floats('p', [1, 3], 0.25, 0.5, 0.25)];
      expect(answer({}, outputs).body).toMatchObject({ prediction: 2, confidence: 0.5 });
    });

    it.each([[[2]], [[2, 1]]])("answers the model's own texts, in a column of shape %j", (shape) => {
      const outputs = [output('label', 'BYTES', shape, ['ham', 'spam']), floats('p', [2, 2], 0.75, 0.25, 0, 1)];
      expect(answer({}, outputs, { rows: 2 }).body).toMatchObject({
        predictions: [
          { prediction: 'ham', confidence: 0.75, probabilities: [0.75, 0.25] },
          { prediction: 'spam', confidence: 1, probabilities: [0, 1] },
        ],
      });
    });

    it("keys the probabilities by the model's own classes, and answers the class that the model itself says", () => {
      const outputs = [output('label', 'INT64', [1], [20n]), floats('probabilities', [1, 3], 0.5, 0.25, 0.25)];
      expect(answer({}, outputs, { labels: [10, 20, 30] }).body).toMatchObject({
        prediction: 20,
        confidence: 0.25,
        probabilities: { 10: 0.5, 20: 0.25, 30: 0.25 },
      });
    });

    it("answers the most probable of the model's own classes where the model says none", () => {
      const probabilities = floats('probabilities', [2, 2], 0.25, 0.75, 0.5, 0.5);
      const { body } = answer({ task: 'classification' }, [probabilities], { rows: 2, labels: ['no', 'yes'] });
      expect(body).toMatchObject({
        predictions: [
          { prediction: 'yes', confidence: 0.75 },
          { prediction: 'no', confidence: 0.5 },
        ],
      });
    });

    it("prefers the names that the metadata gives to the model's own", () => {
      const outputs = [output('label', 'INT64', [1], [1n]), floats('probabilities', [1, 2], 0.25, 0.75)];
      const { body } = answer({ labels: ['cat', 'dog'] }, outputs, { labels: [0, 1] });
      expect(body).toMatchObject({ prediction: 'dog', probabilities: { cat: 0.25, dog: 0.75 } });
    });

    it('answers a text that is the only output, without confidence', () => {
      expect(answer({}, [output('label', 'BYTES', [1], ['ham'])]).body).toEqual({ prediction: 'ham', confidence: null, ...ABOUT });
    });

    it('names the class of a label output without probabilities', () => {
      expect(answer(LABELS, [output('class', 'INT64', [1, 1], [2n])]).body).toMatchObject({ prediction: 'virginica', confidence: null });
    });

    it.each([
      [-1n, -1],
      [3n, 3],
    ])('answers a label output of %d, a class that has no label, as the model says it', (label, prediction) => {
      const outputs = [floats('score', [1], 0.5), output('class', 'INT64', [1], [label])];
      expect(answer(LABELS, outputs).body).toMatchObject({ prediction, confidence: null });
    });

    it('calls a lone score beside a label no probability', () => {
      const outputs = [output('label', 'INT64', [1, 1], [-1n]), floats('scores', [1, 1], -0.125)];
      const body = { prediction: -1, confidence: null, outputs: { label: -1, scores: -0.125 }, ...ABOUT };
      expect(answer({}, outputs).body).toEqual(body);
    });

    it.each([
      [0.25, 'no', 0.75],
      [0.5, 'no', 0.5],
      [0.75, 'yes', 0.75],
    ])('takes a lone column of %d for the probability of the second of two labels', (column, prediction, confidence) => {
      const body = { prediction, confidence, probabilities: { no: 1 - column, yes: column }, ...ABOUT };
      expect(answer({ labels: ['no', 'yes'] }, [floats('p', [1, 1], column)]).body).toEqual(body);
    });

    it.each([
      [0.25, 0, 0.75],
      [0.75, 1, 0.75],
    ])('takes a lone column of %d for the probability of the second class where no label is known', (column, prediction, confidence) => {
      const body = { prediction, confidence, probabilities: [1 - column, column], ...ABOUT };
      expect(answer({ task: 'classification' }, [floats('p', [1, 1], column)]).body).toEqual(body);
    });

    it('takes a lone column that the metadata names, although it is a vector', () => {
      const metadata = { labels: ['no', 'yes'], probabilityOutput: 'p' };
      const { body } = answer(metadata, [floats('p', [2], 0.25, 1)], { rows: 2 });
      expect(body).toMatchObject({
        predictions: [
          { prediction: 'no', confidence: 0.75 },
          { prediction: 'yes', confidence: 1 },
        ],
      });
    });

    it('numbers the classes where there are probabilities only', () => {
      const outputs = [floats('p', [1, 3], 0.25, 0.25, 0.5)];
      const body = { prediction: 2, confidence: 0.5, probabilities: [0.25, 0.25, 0.5], ...ABOUT };
      expect(answer({ task: 'classification' }, outputs).body).toEqual(body);
    });

    it('takes a matrix for what it is where nothing says that it holds probabilities', () => {
      expect(answer({}, [floats('p', [1, 3], 0.25, 0.25, 0.5)]).body).toEqual({
        prediction: [0.25, 0.25, 0.5],
        confidence: null,
        ...ABOUT,
      });
    });

    it('reads the output that the metadata names, not the first that looks like it', () => {
      const outputs = [floats('logits', [1, 3], 9, 1, 1), floats('p', [1, 3], 0.25, 0.5, 0.25)];
      expect(answer({ ...LABELS, probabilityOutput: 'p' }, outputs).body).toMatchObject({ prediction: 'versicolor', confidence: 0.5 });
      expect(answer(LABELS, outputs).body).toMatchObject({ prediction: 'setosa', confidence: 9 });
    });

    it.each(['__proto__', 'constructor', 'toString'])('gives a label called "%s" its probability like any other', (label) => {
      const { body, text } = answer({ labels: ['plain', label] }, [floats('p', [1, 2], 0.25, 0.75)]);
      expect(text).toContain(`"probabilities":{"plain":0.25,"${label}":0.75}`);
      expect(body).toMatchObject({ prediction: label, confidence: 0.75 });
      expect({}).not.toHaveProperty('plain');
    });

    it('names an output called "__proto__" like any other', () => {
      const { text } = answer({}, [floats('y', [1], 1), floats('__proto__', [1], 2)]);
      expect(text).toContain('"outputs":{"y":1,"__proto__":2}');
    });
  });

  describe('of values that JSON cannot carry as they are', () => {
    it.each([
      ['INT64', 7n, 7],
      ['INT64', -7n, -7],
      ['INT64', 9_007_199_254_740_991n, 9_007_199_254_740_991],
      ['INT64', 9_007_199_254_740_992n, '9007199254740992'],
      ['INT64', 9_007_199_254_740_993n, '9007199254740993'],
      ['INT64', -(2n ** 63n), '-9223372036854775808'],
      ['UINT64', 2n ** 64n - 1n, '18446744073709551615'],
      ['BOOL', 1, true],
      ['BOOL', 0, false],
      ['FP32', 0.5, 0.5],
      ['INT8', -128, -128],
      ['BYTES', 'naïve ☃', 'naïve ☃'],
    ] as const)('answers %s %s as %j', (datatype, element, prediction) => {
      expect(answer({ task: 'other' }, [output('y', datatype, [1, 1], [element])]).body).toMatchObject({ prediction });
    });

    it('answers truth values in arrays', () => {
      expect(answer({}, [output('flags', 'BOOL', [1, 3], [1, 0, 1])]).body).toMatchObject({ prediction: [true, false, true] });
    });

    it("answers a model's own label beyond 2^53 as text", () => {
      const outputs = [output('label', 'INT64', [1], [9_007_199_254_740_993n]), floats('p', [1, 2], 0, 1)];
      expect(answer({}, outputs).body).toMatchObject({ prediction: '9007199254740993', confidence: 1 });
    });

    it('answers halves as the numbers that they are, and counts those that are none', () => {
      const halves: Tensor = { name: 'y', datatype: 'FP16', shape: [1, 3], data: Uint16Array.of(0x3800, 0x0001, 0x7c00) };
      const { body, nonFinite } = answer({}, [halves]);
      expect(body).toMatchObject({ prediction: [0.5, 2 ** -24, null] });
      expect(nonFinite).toBe(1);
    });

    it('answers NaN and infinity as null, and counts them in all outputs', () => {
      const outputs = [floats('y', [1, 3], Number.NaN, 1, Number.POSITIVE_INFINITY), floats('z', [1], Number.NEGATIVE_INFINITY)];
      const { body, nonFinite } = answer({ nonFinite: 'null' }, outputs);
      expect(body).toMatchObject({ prediction: [null, 1, null], outputs: { y: [null, 1, null], z: null } });
      expect(nonFinite).toBe(3);
    });

    it('counts nothing where every number is finite', () => {
      expect(answer({}, [floats('y', [1], 1), output('n', 'BYTES', [1], ['NaN'])]).nonFinite).toBe(0);
    });

    it('refuses NaN and infinity where the metadata wants that, and names the output', () => {
      const outputs = [floats('fine', [1], 1), floats('y', [1, 2], 1, Number.NaN)];
      const error = { code: 'NON_FINITE_OUTPUT', details: { field: 'y', expected: 'finite numbers' } };
      expect(() => answer({ nonFinite: 'reject' }, outputs)).toThrow(expect.objectContaining(error));
      expect(answer({ nonFinite: 'reject' }, [floats('y', [1], 1)]).body).toMatchObject({ prediction: 1 });
    });

    it.each([Number.NaN, Number.POSITIVE_INFINITY])('names no winner where a probability is %d', (bad) => {
      expect(answer(LABELS, [floats('p', [1, 3], 0.5, bad, 0.25)])).toMatchObject({
        body: { prediction: null, confidence: null, probabilities: { setosa: 0.5, versicolor: null, virginica: 0.25 } },
        nonFinite: 1,
      });
      expect(answer({ labels: ['no', 'yes'] }, [floats('p', [1, 1], bad)]).body).toMatchObject({
        prediction: null,
        confidence: null,
        probabilities: { no: null, yes: null },
      });
    });

    it("keeps the model's own label where a probability is NaN", () => {
      const outputs = [output('label', 'INT64', [1], [1n]), floats('p', [1, 2], Number.NaN, 0.5)];
      expect(answer({}, outputs).body).toMatchObject({ prediction: 1, confidence: null, probabilities: [null, 0.5] });
    });

    it('spoils no other row by the NaN of one', () => {
      const { body } = answer(LABELS, [floats('p', [2, 3], Number.NaN, 0, 0, 0, 1, 0)], { rows: 2 });
      expect(body).toMatchObject({
        predictions: [
          { prediction: null, confidence: null },
          { prediction: 'versicolor', confidence: 1 },
        ],
      });
    });
  });
});
