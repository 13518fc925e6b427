import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { input, layers, model as functional } from '@tensorflow/tfjs-layers';
import { packTarGz } from '../../src/wire/archive/pack-archive';
import { linear } from '../onnx/models';
import { EngineRuns } from '../scheduling/engine-runs';
import { quietLibrary } from '../tfjs/quiet-library';
import { changed, layersFiles, type TfjsFiles } from '../tfjs/tfjs-files';
import { linearTwin } from '../tfjs/twins';
import { describeInProcess, TestApp } from './test-app';

const LINE = linearTwin([[2], [3]], [1]);
const tarGz = (files: TfjsFiles): Promise<Buffer> =>
  buffer(
    packTarGz(Object.entries(files).map(([path, bytes]) => ({ path, bytes: bytes.length, open: async () => Readable.from([bytes]) }))),
  );

describeInProcess('TensorFlow.js models', () => {
  let app: TestApp;
  beforeAll(async () => {
    await quietLibrary();
    app = await TestApp.start();
  });
  afterAll(() => app.close());

  const version = async (model: string, number = 1) =>
    (await app.request().get(`/api/v1/models/${model}/versions/${number}`).expect(200)).body;
  const answer = async (model: string, ...row: number[]): Promise<number> =>
    (await app.predict(model, { instances: [row] }).expect(200)).body.predictions[0].prediction;

  it('are uploaded as several files, and say what runs them and where', async () => {
    await app.serve('line', LINE, { engine: 'tfjs' });
    expect(await answer('line', 10, 1)).toBe(24);
    expect(await version('line')).toMatchObject({
      engine: 'tfjs',
      backend: 'wasm',
      signature: { inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 2] }], outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 1] }] },
      placement: { engine: 'host', bounded: false, why: expect.arrayContaining(['TensorFlow.js runs it']), initializerBytes: 12 },
      measured: { backend: 'wasm', batchable: true, repeatable: true },
      files: [{ path: 'model.json' }, { path: 'group1-shard1of1.bin', size: 12 }],
    });
    const { body } = await app.request().get('/health').expect(200);
    expect(body.details.models.engines).toEqual({ onnxruntime: '1.30.0', tfjs: '4.22.0', 'tfjs-node': null });
  });

  it('come in one archive as well, and go as one', async () => {
    const inFolder = Object.fromEntries(Object.entries(LINE).map(([name, bytes]) => [`line/${name}`, bytes]));
    await app.serve('packed', { 'line.tar.gz': await tarGz(inFolder) });
    expect(await answer('packed', 0, 1)).toBe(4);
    const { body: artifact } = await app.request().get('/api/v1/models/packed/versions/1/artifact').buffer(true).parse((response, done) => void buffer(response as unknown as Readable).then((bytes) => done(null, bytes), (error: Error) => done(error, null))).expect(200); // prettier-ignore
    await app.upload('packed', { 'again.tar.gz': artifact as Buffer }).expect(200);
  });

  it('are another executable for other weights under the same topology, and never answer for one another', async () => {
    await app.serve('same', LINE);
    const other = { ...LINE, 'group1-shard1of1.bin': Buffer.from(Float32Array.of(1, 1, 0).buffer) };
    await app.serve('same', other);
    const [one, two] = [await version('same', 1), await version('same', 2)];
    expect(one.executable).not.toBe(two.executable);
    expect(await answer('same', 5, 5)).toBe(10);
    expect((await app.predict('same', { instances: [[5, 5]] }, '?version=1').expect(200)).body.predictions[0].prediction).toBe(26);
  });

  it('leave executables of ONNX what they were: a card beside the file decides nothing', async () => {
    const file = linear([[2]]);
    await app.serve('alone', file);
    await app.serve('carded', { 'model.onnx': file, 'CARD.md': Buffer.from('# a card') });
    expect((await version('carded')).executable).toBe((await version('alone')).executable);
  });

  it('are held against their golden rows', async () => {
    const golden = (y: number) => [{ inputs: { x: [[1, 1]] }, outputs: { y: [[y]] } }];
    await app.upload('golden', LINE, { metadata: { golden: golden(6) } }).expect(201);
    const { body } = await app.upload('golden', LINE, { metadata: { golden: golden(7) } }).expect(422);
    expect(body).toMatchObject({ code: 'GOLDEN_MISMATCH', expected: '7', actual: '6' });
  });

  it('are run for many calls at once, and each gets its own row', async () => {
    await app.serve('many', LINE, { cache: { enabled: false }, maxDelayMicros: 20_000 });
    const runs = new EngineRuns();
    const answers = await Promise.all(Array.from({ length: 16 }, (_, row) => answer('many', row, 1000)));
    expect(answers).toEqual(Array.from({ length: 16 }, (_, row) => 2 * row + 3001));
    expect(runs.of([1000]).length).toBeLessThan(16);
    jest.restoreAllMocks();
  });

  it('of layers are served like graphs', async () => {
    const x = input({ shape: [2], name: 'x' });
    const y = layers.dense({ units: 1, name: 'y' }).apply(x) as typeof x;
    const files = await layersFiles(functional({ inputs: x, outputs: y }));
    await app.serve('layers', { ...files, 'group1-shard1of1.bin': Buffer.from(Float32Array.of(2, 3, 1).buffer) });
    expect(await answer('layers', 10, 1)).toBe(24);
  });

  it('are refused with a sentence that names what is wrong', async () => {
    const lambda = changed(LINE, (json) => void ((json.modelTopology as { node: { op: string }[] }).node[4]!.op = 'PyFunc'));
    const { body } = await app.upload('wrong', lambda).expect(422);
    expect(body).toMatchObject({ code: 'MODEL_REFUSED', actual: expect.stringContaining('the node "y" has the operator "PyFunc"') });
    const { 'model.json': model = Buffer.of() } = LINE;
    const alone = await app.upload('wrong', { 'model.json': model }).expect(422);
    expect(alone.body.actual).toContain('the file "group1-shard1of1.bin" of weightsManifest is not among the uploaded ones');
  });

  it('are refused where another engine is asked for, and ONNX files likewise', async () => {
    const { body } = await app.upload('wrong', LINE, { metadata: { engine: 'onnx' } }).expect(422);
    expect(body).toMatchObject({ code: 'METADATA_MISMATCH', field: 'metadata.engine', actual: 'onnx' });
    await app.upload('wrong', linear([[1]]), { metadata: { engine: 'tfjs' } }).expect(422);
  });
});
