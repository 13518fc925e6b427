import { type RealModel, realModels } from '../real-models/oracle';
import { elementsOf, type Tensor } from '../../src/runtime/tensor';
import { TestApp } from './test-app';

const MODELS = new Map(realModels().map((model) => [model.name, model]));
const CLASSIFIERS = [...MODELS.values()].filter(({ labels }) => labels !== undefined).map(({ name }) => name);
const ROWS = 5;

const modelOf = (name: string): RealModel => MODELS.get(name) as RealModel;
const outputOf = (model: RealModel, name: RegExp): Tensor => model.outputs.find((output) => name.test(output.name)) as Tensor;

/** Row `row` of a tensor, as JSON. */
function rowOf({ data, shape }: Tensor, row: number): unknown {
  const size = elementsOf(shape.slice(1));
  const values = Array.from(data.slice(row * size, (row + 1) * size) as ArrayLike<unknown>, (value) =>
    typeof value === 'bigint' ? Number(value) : value,
  );
  return shape.length === 1 ? values[0] : values;
}

describe('models as real trainers export them', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await TestApp.start();
  });
  afterAll(() => app.close());

  it.each(CLASSIFIERS)('%s is uploaded as it is, and answers with the classes that it names itself', async (name) => {
    const model = modelOf(name);
    const { body: version } = await app.serve(name, model.bytes);
    expect(version).toMatchObject({ ownLabels: model.labels, options: { zipMap: 'cut off' } });
    const rows = Array.from({ length: ROWS }, (_, row) =>
      model.inputs.length === 1
        ? rowOf(model.inputs[0] as Tensor, row)
        : Object.fromEntries(model.inputs.map((input) => [input.name, rowOf(input, row)])),
    );
    const { body } = await app.predict(name, { instances: rows }).expect(200);
    const [label, probabilities] = [outputOf(model, /label/), outputOf(model, /probabilit/)];
    for (const [row, prediction] of body.predictions.entries()) {
      expect(prediction.prediction).toBe(rowOf(label, row));
      const expected = rowOf(probabilities, row) as readonly number[];
      for (const [at, className] of (model.labels ?? []).entries()) {
        expect(prediction.probabilities[String(className)]).toBeCloseTo(expected[at] as number, 5);
      }
      const own = model.labels?.findIndex((one) => one === prediction.prediction) ?? -1;
      expect(prediction.confidence).toBe(prediction.probabilities[String(model.labels?.[own])]);
    }
  });

  it('tells of a version whether it is bounded and why not, and what it costs here', async () => {
    const { body: forest } = await app.upload('forest', modelOf('random-forest-classifier').bytes).expect(201);
    expect(forest).toMatchObject({
      placement: { engine: expect.stringMatching(/^(inline|host)$/), bounded: true, initializerBytes: expect.any(Number) },
      measured: { batchable: true, repeatable: true },
    });
    const measured = forest.measured.curve.slice(0, 6).map(({ rows }: { rows: number }) => rows);
    expect(measured).toEqual([1, 2, 4, 8, 16, 32].slice(0, Math.max(2, measured.length))); // a busy machine has no time for all
    const { body: neighbours } = await app.upload('neighbours', modelOf('k-nearest-neighbours').bytes).expect(201);
    expect(neighbours.placement).toMatchObject({
      engine: 'host',
      bounded: false,
      why: expect.arrayContaining(['it has the operator Scan']),
    });
    const { body } = await app.request().get('/api/v1/models/neighbours/versions/1').expect(200);
    expect(body).toEqual(neighbours);
  });

  it('is published where it answers what its golden rows say, and refused by the first number where it does not', async () => {
    const { bytes, inputs, outputs } = modelOf('linear-regression');
    const rows = (tensor: Tensor) => Array.from({ length: 2 }, (_, row) => rowOf(tensor, row));
    const [x, y] = [inputs[0] as Tensor, outputs[0] as Tensor];
    const golden = { inputs: { [x.name]: rows(x) }, outputs: { [y.name]: rows(y) } };
    await app.upload('checked', bytes, { metadata: { golden: [golden] } }).expect(201);

    const [first, [second]] = golden.outputs[y.name] as [[number], [number]];
    const wrong = { ...golden, outputs: { [y.name]: [first, [second + 1]] } };
    const { body } = await app.upload('unchecked', bytes, { metadata: { golden: [golden, wrong] } }).expect(422);
    expect(body).toMatchObject({ code: 'GOLDEN_MISMATCH', field: `metadata.golden[1].outputs.${y.name}[1][0]` });
    await app.request().get('/api/v1/models/unchecked').expect(404);
    const { body: misspelt } = await app.upload('unchecked', bytes, { metadata: { golden: [{ ...golden, tolerence: 1 }] } }).expect(400);
    expect(misspelt).toMatchObject({ code: 'MALFORMED_BODY', field: 'metadata.golden.0.tolerence' });
  });
});
