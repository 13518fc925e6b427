import { InferenceConfig, RuntimeConfig } from '../config/app-config';
import type { ModelMetadata } from '../models/upload/model-metadata';
import type { VersionRecord } from '../models/registry/registry-records';
import { ServedVersion } from '../models/serving/served-version';
import type { EngineAnswer, EngineRun, LoadedModel, NextRun } from '../runtime/model-runtime.port';
import { InferenceFailed } from '../runtime/runtime.errors';
import { emptyData, type Signature, type Tensor } from '../runtime/tensor';
import { Admission } from './admission';
import { Coalescer } from './coalescer';
import { Deadlines } from './deadlines';
import type { InferenceCall } from './inference-call';
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
    inferMs: 2,
  });

  async run(next: NextRun): Promise<EngineAnswer> {
    const run = next();
    if (run === undefined) return { outputs: [], inferMs: 0 };
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
  const target = new ServedVersion(record, model, { release: async () => {} }, () => undefined);
  const coalescer = new Coalescer(Object.assign(new RuntimeConfig(), limits));
  const service = new InferenceService(new Admission(config, coalescer), coalescer, new Deadlines(coalescer), config);
  const caller = { caller: 'ada', correlationId: 'c-1' };
  return { model, target, service, run: (call: Omit<InferenceCall, 'caller' | 'correlationId'>) => service.run({ ...caller, ...call }) };
}

describe(InferenceService, () => {
  it('asks for all outputs in the order of the model where none are named', async () => {
    const { model, target, run } = setUp();
    const { outputs, queueMs, inferMs } = await run({ target, inputs: [X] });
    expect(outputs.map(({ name }) => name)).toEqual(['label', 'p']);
    expect({ queueMs, inferMs }).toEqual({ queueMs: expect.any(Number), inferMs: 2 });
    expect(model.runs).toMatchObject([{ inputs: [X], outputs: ['label', 'p'] }]);
  });

  it('asks for the outputs that are named, in their order', async () => {
    const { model, target, run } = setUp();
    const { outputs } = await run({ target, inputs: [X], outputs: ['p', 'label'] });
    expect(outputs.map(({ name }) => name)).toEqual(['p', 'label']);
    await run({ target, inputs: [X], outputs: ['p'] });
    expect(model.runs.map(({ outputs: wanted }) => wanted)).toEqual([['p', 'label'], ['p']]);
  });

  it("gives the engine the model's own deadline, or the default where it has none", async () => {
    const own = setUp({ deadlineMs: 250 }, { engineDeadlineMs: 4000 });
    await own.run({ target: own.target, inputs: [X] });
    expect(own.model.runs).toMatchObject([{ engineDeadlineMs: 250 }]);
    const common = setUp({}, { engineDeadlineMs: 4000 });
    await common.run({ target: common.target, inputs: [X] });
    expect(common.model.runs).toMatchObject([{ engineDeadlineMs: 4000 }]);
  });

  it.each([
    ['as it may take in all', { expiresAt: undefined }, 1],
    ['as its caller waits', { expiresAt: 30 }, 7],
  ])('lets a call take as long %s, whatever the engine does', async (_, { expiresAt }, callDeadlineSeconds) => {
    const { model, target, run } = setUp({}, { callDeadlineSeconds });
    model.answer = () => new Promise(() => {});
    const startedAt = performance.now();
    const call = { target, inputs: [X], ...(expiresAt !== undefined && { expiresAt: startedAt + expiresAt }) };
    await expect(run(call)).rejects.toMatchObject({ code: 'CALL_DEADLINE_EXCEEDED' });
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(expiresAt ?? 1000);
  });

  it.each([
    ['INPUTS_MISMATCH', { inputs: [] }],
    ['INPUTS_MISMATCH', { inputs: [{ ...X, name: 'z' }] }],
    ['DATATYPE_MISMATCH', { inputs: [{ ...X, datatype: 'FP64' as const, data: Float64Array.of(1, 2) }] }],
    ['SHAPE_MISMATCH', { inputs: [{ ...X, shape: [2, 1] }] }],
    ['SHAPE_MISMATCH', { inputs: [{ ...X, shape: [2, 2] }] }],
    ['OUTPUT_UNKNOWN', { inputs: [X], outputs: ['q'] }],
  ])('refuses with %s before it asks the engine', async (code, call) => {
    const { model, target, run } = setUp();
    await expect(run({ target, ...call })).rejects.toMatchObject({ code, kind: 'invalid' });
    expect(model.runs).toEqual([]);
  });

  it('turns away what is too much at once, and counts a refused input as nothing', async () => {
    const { model, target, run } = setUp({}, { maxCallsPerModel: 1 });
    const { promise, resolve } = Promise.withResolvers<EngineAnswer>();
    model.answer = () => promise;
    const first = run({ target, inputs: [X] });
    await expect(run({ target, inputs: [X] })).rejects.toMatchObject({ code: 'TOO_MANY_CALLS' });
    await expect(run({ target, inputs: [] })).rejects.toMatchObject({ code: 'INPUTS_MISMATCH' });
    resolve({ outputs: [], inferMs: 0 });
    await expect(first).resolves.toMatchObject({ outputs: [] });
    await expect(run({ target, inputs: [X] })).resolves.toBeDefined();
    expect(model.runs).toHaveLength(2);
  });

  it("hands on the engine's own refusal, and takes the next call", async () => {
    const { model, target, run } = setUp({}, { maxCallsPerModel: 1 });
    const failure = new InferenceFailed('index out of bounds');
    const { answer } = model;
    model.answer = () => Promise.reject(failure);
    await expect(run({ target, inputs: [X] })).rejects.toBe(failure);
    model.answer = answer;
    await expect(run({ target, inputs: [X] })).resolves.toBeDefined();
  });
});
