import { Logger } from '@nestjs/common';
import { endlessLoop, failing, linear } from '../../test/onnx/models';
import { callWith, column, ModelFolder } from '../../test/process/model-folder';
import { endOwnHosts, hostsOf } from '../../test/process/processes';
import { RuntimeConfig } from '../config/app-config';
import { EngineSupervisor } from './hosts/engine-supervisor';
import { HostLauncher } from './hosts/host-launcher';
import { HostRuntime } from './host.runtime';
import { InlineEngine } from './inline/inline-engine';
import type { ModelFile, RowCosts } from './model-runtime.port';
import { PlacedRuntime } from './placed.runtime';
import { InferenceFailed, ModelDamaged, ModelRefused } from './runtime.errors';
import type { Tensor } from './tensor';

const FREE: RowCosts = { free: true, curve: [{ rows: 32, micros: 10 }] };
const WIDE = 1500;

describe(PlacedRuntime.name, () => {
  const models = new ModelFolder();
  const warnings = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
  let supervisor: EngineSupervisor;
  let engine: InlineEngine;
  let runtime: PlacedRuntime;

  function start(isolation: 'auto' | 'always' = 'auto'): void {
    const config = Object.assign(new RuntimeConfig(), { isolation });
    const launcher = new HostLauncher(config);
    supervisor = new EngineSupervisor(config, launcher);
    engine = new InlineEngine(config);
    runtime = new PlacedRuntime(new HostRuntime(supervisor, launcher, config), engine, config);
  }
  beforeEach(() => start());
  afterEach(() => supervisor.onApplicationShutdown());
  afterAll(endOwnHosts);
  afterAll(() => models.remove());

  const file = (model: Buffer, inline: RowCosts = FREE): ModelFile => ({ ...models.file(model), bounded: true, inline });
  const rows = (count: number, columns = 1): Tensor => ({
    name: 'x',
    datatype: 'FP32',
    shape: [count, columns],
    data: new Float32Array(count * columns).fill(1),
  });
  const run =
    (count: number, columns = 1) =>
    () => ({ inputs: [rows(count, columns)], outputs: ['y'], engineDeadlineMs: 5000 });
  const hosts = (): number => hostsOf(process.pid).length;

  it('runs what is cheap in this very process', async () => {
    const model = await runtime.load(file(linear([[2]])));
    expect(await model.run(callWith(21))).toEqual({ outputs: [column('y', 42)], inferMs: expect.any(Number) });
    expect(hosts()).toBe(0);
    await model.unload();
  });

  it('runs what is too much in a host, which loads it then', async () => {
    const model = await runtime.load(file(linear([[2]])));
    expect((await model.run(run(32))).outputs[0]?.shape).toEqual([32, 1]);
    expect(hosts()).toBe(0);
    expect((await model.run(run(33))).outputs[0]?.shape).toEqual([33, 1]);
    expect(hosts()).toBe(1);
    await model.unload();
  });

  it('takes 2 ms of work a tick, and what comes beyond it goes to a host', async () => {
    const model = await runtime.load(file(linear([[2]]), { free: true, curve: [{ rows: 1, micros: 300 }] }));
    const seen = jest.spyOn(engine, 'run');
    const answers = await Promise.all(Array.from({ length: 10 }, (_, at) => model.run(callWith(at))));
    expect(seen).toHaveBeenCalledTimes(6);
    expect(answers.map(({ outputs }) => outputs[0]?.data[0])).toEqual(Array.from({ length: 10 }, (_, at) => 2 * at));
    expect(hosts()).toBeGreaterThan(0);
    await model.run(callWith(1));
    expect(seen).toHaveBeenCalledTimes(7);
    await model.unload();
  });

  it('fails as a host does, and goes on', async () => {
    const model = await runtime.load(file(failing(), { free: true, curve: [{ rows: 4, micros: 10 }] }));
    const index = (value: bigint) => () => ({
      inputs: [{ name: 'x', datatype: 'INT64' as const, shape: [1], data: BigInt64Array.of(value) }],
      outputs: ['y'],
      engineDeadlineMs: 5000,
    });
    const hosted = await new HostRuntime(supervisor, new HostLauncher(new RuntimeConfig()), new RuntimeConfig()).load(
      models.file(failing()),
    );
    const [inline, apart] = await Promise.all([model, hosted].map((each) => each.run(index(99n)).catch((error: unknown) => error)));
    expect(inline).toBeInstanceOf(InferenceFailed);
    expect(inline).toEqual(apart);
    expect((await model.run(index(0n))).outputs).toHaveLength(1);
    await model.unload();
  });

  it('believes the file and not what is said of it', async () => {
    const endless = await runtime.load(file(endlessLoop()));
    await expect(endless.run(callWith(1, { engineDeadlineMs: 300 }))).rejects.toMatchObject({ code: 'ENGINE_DEADLINE_EXCEEDED' });
    const { path } = models.file(linear([[1]]));
    await expect(runtime.load({ path, sha256: '0'.repeat(64), bounded: true, inline: FREE })).rejects.toThrow(ModelDamaged);
    await expect(runtime.load(file(Buffer.from('garbage')))).rejects.toThrow(ModelRefused);
  });

  it('demotes a model whose run took longer than 5 ms, and tells it once', async () => {
    const weights = Array.from({ length: WIDE }, () => Array.from({ length: WIDE }, () => 1));
    const slow = file(linear(weights), { free: true, curve: [{ rows: 1024, micros: 10 }] });
    const model = await runtime.load(slow);
    warnings.mockClear();
    await Promise.all([model.run(run(1000, WIDE)), model.run(run(1000, WIDE))]);
    const told = warnings.mock.calls.filter(([message]) => String(message).includes('demoted'));
    expect(told).toEqual([
      [expect.any(String), { sha256: slow.sha256, ms: expect.any(Number), wallMs: expect.any(Number), forSeconds: 1 }],
    ]);
    const [[, { ms, wallMs }]] = told as unknown as [[string, Record<'ms' | 'wallMs', number>]];
    expect(ms).toBeLessThan(wallMs + 10); // of this run, and not of all before it
    expect(hosts()).toBe(0);
    expect((await model.run(run(1, WIDE))).outputs[0]?.shape).toEqual([1, WIDE]);
    expect(hosts()).toBe(1);
    await model.unload();
  });

  it('demotes none that the machine gave no time to', async () => {
    const weights = Array.from({ length: WIDE }, () => Array.from({ length: WIDE }, () => 2));
    const model = await runtime.load(file(linear(weights), { free: true, curve: [{ rows: 1024, micros: 10 }] }));
    const used = process.threadCpuUsage();
    jest.spyOn(process, 'threadCpuUsage').mockImplementation((before) => (before === undefined ? used : { user: 4000, system: 1000 }));
    warnings.mockClear();
    const { inferMs } = await model.run(run(1000, WIDE));
    expect(inferMs).toBeGreaterThan(5);
    expect(warnings).not.toHaveBeenCalled();
    jest.mocked(process.threadCpuUsage).mockRestore();
    await model.unload();
  });

  it('demotes none that had to wait for others', async () => {
    warnings.mockClear();
    for (const factor of [2, 3, 4, 5, 6]) {
      const model = await runtime.load(file(linear([[factor]])));
      const answer = model.run(callWith(1));
      const end = performance.now() + 20;
      while (performance.now() < end); // the machine is busy
      await answer;
      await model.unload();
    }
    // the collector may come into a run, but not into each
    expect(warnings.mock.calls.length).toBeLessThan(5);
  });

  it('answers a run that comes after the unload', async () => {
    const model = await runtime.load(file(linear([[2]])));
    await model.unload();
    expect(await model.run(callWith(4))).toMatchObject({ outputs: [column('y', 8)] });
  });

  it('asks for what comes next where the host of a run that was too much has ended', async () => {
    const model = await runtime.load(file(linear([[2]])));
    await model.run(run(33)); // a host is there
    const asked: number[] = [];
    const answer = model.run(() => {
      asked.push(asked.length);
      return run(33 + asked.length)();
    });
    for (const pid of hostsOf(process.pid)) process.kill(pid, 'SIGKILL');
    const shape = (await answer).outputs[0]?.shape;
    expect(shape).toEqual([33 + asked.length, 1]);
    await model.unload();
  });

  it('places nothing here where models are to be isolated', () => {
    const signature = { inputs: [{ name: 'x', datatype: 'FP32' as const, shape: [-1, 1] }], outputs: [] };
    const measured = { machine: 'any', loadMs: 1, memoryBytes: 1, bestBatch: 1, batchable: true, exactInBatches: true, repeatable: true };
    const facts = { sha256: 'ab', signature, unbounded: [], initializerBytes: 1, isolated: false };
    const cheap = { ...facts, measured: { ...measured, curve: FREE.curve } };
    expect(runtime.place(cheap)).toEqual({ inline: FREE, why: [] });
    start('always');
    expect(runtime.place(cheap)).toEqual({ why: ['it is isolated'] });
  });
});
