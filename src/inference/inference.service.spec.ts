import { InferenceConfig, RuntimeConfig } from '../config/app-config';
import type { ModelMetadata } from '../models/upload/model-metadata';
import type { VersionRecord } from '../models/registry/registry-records';
import { ServedVersion } from '../models/serving/served-version';
import type { EngineAnswer, EngineRun, LoadedModel } from '../runtime/model-runtime.port';
import { InferenceFailed } from '../runtime/runtime.errors';
import { emptyData, type Signature, type Tensor } from '../runtime/tensor';
import { Admission } from './admission';
import { InferenceService } from './inference.service';

const SIGNATURE: Signature = {
  inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 2] }],
  outputs: [
    { name: 'label', datatype: 'INT64', shape: [-1] },
    { name: 'p', datatype: 'FP32', shape: [-1, 3] },
  ],
};
const X: Tensor = { name: 'x', datatype: 'FP32', shape: [1, 2], data: Float32Array.of(1, 2) };

/** Answers with empty outputs in the order in which they were asked for, and remembers what it was asked. */
class RecordingModel implements LoadedModel {
  readonly runs: EngineRun[] = [];
  answer: (run: EngineRun) => Promise<EngineAnswer> = async ({ outputs }) => ({
    outputs: outputs.map((name) => ({ name, datatype: 'FP32' as const, shape: [1], data: emptyData('FP32', 1) })),
    queueMs: 1,
    inferMs: 2,
  });

  run(run: EngineRun): Promise<EngineAnswer> {
    this.runs.push(run);
    return this.answer(run);
  }

  async unload(): Promise<void> {}
}

function setUp(metadata: ModelMetadata = {}, limits: Partial<InferenceConfig & RuntimeConfig> = {}) {
  const record: VersionRecord = {
    model: 'iris',
    version: 1,
    digest: '0'.repeat(64),
    executable: '1'.repeat(64),
    engine: 'onnx',
    manifest: { files: [], metadata },
    signature: SIGNATURE,
    blob: '',
    blobs: [],
    publishedAt: new Date(0).toISOString(),
    publishedBy: 'anonymous',
    stage: 'production',
  };
  const model = new RecordingModel();
  const config = Object.assign(new InferenceConfig(), limits);
  const target = new ServedVersion(record, model, { path: '/nowhere', release: async () => {} });
  const service = new InferenceService(new Admission(config), config, Object.assign(new RuntimeConfig(), limits));
  return { model, target, service };
}

describe(InferenceService, () => {
  it('asks for all outputs in the order of the model where none are named', async () => {
    const { model, target, service } = setUp();
    const { outputs, queueMs, inferMs } = await service.run({ target, inputs: [X] });
    expect(outputs.map(({ name }) => name)).toEqual(['label', 'p']);
    expect({ queueMs, inferMs }).toEqual({ queueMs: 1, inferMs: 2 });
    expect(model.runs).toMatchObject([{ inputs: [X], outputs: ['label', 'p'] }]);
  });

  it('asks for the outputs that are named, in their order', async () => {
    const { model, target, service } = setUp();
    const { outputs } = await service.run({ target, inputs: [X], outputs: ['p', 'label'] });
    expect(outputs.map(({ name }) => name)).toEqual(['p', 'label']);
    await service.run({ target, inputs: [X], outputs: ['p'] });
    expect(model.runs.map((run) => run.outputs)).toEqual([['p', 'label'], ['p']]);
  });

  it("gives the engine the model's own deadline, or the default where it has none", async () => {
    const own = setUp({ deadlineMs: 250 }, { engineDeadlineMs: 4000 });
    await own.service.run({ target: own.target, inputs: [X] });
    expect(own.model.runs).toMatchObject([{ engineDeadlineMs: 250 }]);
    const common = setUp({}, { engineDeadlineMs: 4000 });
    await common.service.run({ target: common.target, inputs: [X] });
    expect(common.model.runs).toMatchObject([{ engineDeadlineMs: 4000 }]);
  });

  it('lets a call wait as long as a call may take in all', async () => {
    const { model, target, service } = setUp({}, { callDeadlineSeconds: 7 });
    const before = performance.now();
    await service.run({ target, inputs: [X] });
    const [run] = model.runs;
    expect(run?.expiresAt).toBeGreaterThanOrEqual(before + 7000);
    expect(run?.expiresAt).toBeLessThanOrEqual(performance.now() + 7000);
  });

  it.each([
    ['INPUTS_MISMATCH', { inputs: [] }],
    ['INPUTS_MISMATCH', { inputs: [{ ...X, name: 'z' }] }],
    ['DATATYPE_MISMATCH', { inputs: [{ ...X, datatype: 'FP64' as const, data: Float64Array.of(1, 2) }] }],
    ['SHAPE_MISMATCH', { inputs: [{ ...X, shape: [2, 1] }] }],
    ['SHAPE_MISMATCH', { inputs: [{ ...X, shape: [2, 2] }] }],
    ['OUTPUT_UNKNOWN', { inputs: [X], outputs: ['q'] }],
  ])('refuses with %s before it asks the engine', async (code, call) => {
    const { model, target, service } = setUp();
    await expect(service.run({ target, ...call })).rejects.toMatchObject({ code, kind: 'invalid' });
    expect(model.runs).toEqual([]);
  });

  it('turns away what is too much at once, and counts a refused input as nothing', async () => {
    const { model, target, service } = setUp({}, { maxCallsPerModel: 1 });
    const { promise, resolve } = Promise.withResolvers<EngineAnswer>();
    model.answer = () => promise;
    const first = service.run({ target, inputs: [X] });
    await expect(service.run({ target, inputs: [X] })).rejects.toMatchObject({ code: 'TOO_MANY_CALLS' });
    await expect(service.run({ target, inputs: [] })).rejects.toMatchObject({ code: 'INPUTS_MISMATCH' });
    resolve({ outputs: [], queueMs: 0, inferMs: 0 });
    await expect(first).resolves.toMatchObject({ outputs: [] });
    await expect(service.run({ target, inputs: [X] })).resolves.toBeDefined();
    expect(model.runs).toHaveLength(2);
  });

  it("hands on the engine's own refusal, and takes the next call", async () => {
    const { model, target, service } = setUp({}, { maxCallsPerModel: 1 });
    const failure = new InferenceFailed('index out of bounds');
    const { answer } = model;
    model.answer = () => Promise.reject(failure);
    await expect(service.run({ target, inputs: [X] })).rejects.toBe(failure);
    model.answer = answer;
    await expect(service.run({ target, inputs: [X] })).resolves.toBeDefined();
  });
});
