import { rmSync } from 'node:fs';
import { Logger } from '@nestjs/common';
import { endlessLoop, linear } from '../../test/onnx/models';
import { type Attribute, DTYPE, floats, type Node, onnxModel, type ValueInfo } from '../../test/onnx/onnx-writer';
import { callWith, column, ModelFolder } from '../../test/process/model-folder';
import { endOwnHosts, hostsOf, until } from '../../test/process/processes';
import { sourceOf } from '../../test/tfjs/tfjs-files';
import { loopTwin } from '../../test/tfjs/twins';
import { RuntimeConfig } from '../config/app-config';
import { EngineSupervisor } from './hosts/engine-supervisor';
import { HostLauncher } from './hosts/host-launcher';
import { HostRuntime } from './host.runtime';
import { ImportDeadlineExceeded, ModelDamaged, ModelRefused } from './runtime.errors';

jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});

describe(HostRuntime.name, () => {
  const models = new ModelFolder();
  const config = Object.assign(new RuntimeConfig(), { importDeadlineSeconds: 1 });
  const answerOf = (y: number) => expect.objectContaining({ outputs: [column('y', y)] });
  let supervisor: EngineSupervisor;
  let runtime: HostRuntime;

  beforeEach(() => {
    const launcher = new HostLauncher(config);
    supervisor = new EngineSupervisor(config, launcher);
    runtime = new HostRuntime(supervisor, launcher, config);
  });
  afterEach(() => supervisor.onApplicationShutdown());
  afterAll(endOwnHosts);
  afterAll(() => models.remove());

  it('imports in a process of its own, which is gone afterwards', async () => {
    const report = await runtime.import(models.file(linear([[1], [2]])));
    expect(report).toMatchObject({ engine: 'onnx', signature: { inputs: [{ name: 'x', shape: [-1, 2] }] } });
    await until('no host is left', () => hostsOf(process.pid).length === 0);
  });

  it.each([
    ['ONNX', () => models.file(hangsOnZeros())],
    ['TensorFlow.js', () => sourceOf(loopTwin(1, 0))],
  ])('gives up an import at its deadline, as the fault of the model, and kills what hangs: %s', async (_engine, file) => {
    const startedAt = performance.now();
    const failed = await runtime.import(file()).catch((error: unknown) => error);
    expect(failed).toEqual(new ImportDeadlineExceeded(1));
    expect(failed).toMatchObject({ code: 'IMPORT_DEADLINE_EXCEEDED', kind: 'invalid' });
    expect(performance.now() - startedAt).toBeLessThan(2500);
    await until('no host is left', () => hostsOf(process.pid).length === 0);
  });

  it('imports while a model in service hangs', async () => {
    const endless = await runtime.load(models.file(endlessLoop()));
    const hung = endless.run(callWith(1, { engineDeadlineMs: 800 })).catch((error: unknown) => error);
    const first = await Promise.race([hung, runtime.import(models.file(linear([[1]])))]);
    expect(first).toMatchObject({ engine: 'onnx' });
    expect(await hung).toMatchObject({ code: 'ENGINE_DEADLINE_EXCEEDED' });
  });

  it('refuses what is no model, and what is not the file that was meant', async () => {
    const garbage = models.file(Buffer.from('garbage'));
    const damaged = { path: garbage.path, sha256: '0'.repeat(64) };
    await expect(runtime.import(garbage)).rejects.toThrow(ModelRefused);
    await expect(runtime.load(garbage)).rejects.toThrow(ModelRefused);
    await expect(runtime.import(damaged)).rejects.toThrow(ModelDamaged);
    await expect(runtime.load(damaged)).rejects.toThrow(ModelDamaged);
  });

  it('shares one session between two users of a file, and keeps it until the last has left', async () => {
    const file = models.file(linear([[2]]));
    const [one, other] = await Promise.all([runtime.load(file), runtime.load(file)]);
    rmSync(file.path); // from here on it can be run only where it is in memory
    expect(await one.run(callWith(1))).toEqual(answerOf(2));
    await one.unload();
    expect(await other.run(callWith(2))).toEqual(answerOf(4));
    await other.unload();
    await expect(other.run(callWith(3))).rejects.toThrow(ModelRefused);
  });

  it('does not count a user whose load failed', async () => {
    const file = models.file(linear([[3]]));
    const bytes = linear([[3]]);
    rmSync(file.path);
    await expect(runtime.load(file)).rejects.toThrow(ModelRefused);
    models.file(bytes);
    const only = await runtime.load(file);
    rmSync(file.path);
    expect(await only.run(callWith(1))).toEqual(answerOf(3));
    await only.unload();
    await expect(only.run(callWith(1))).rejects.toThrow(ModelRefused);
  });

  it('loads a model again for a run that comes after it was unloaded', async () => {
    const model = await runtime.load(models.file(linear([[5]])));
    await model.unload();
    expect(await model.run(callWith(1))).toEqual(answerOf(5));
  });
});

/** y = x, FP32 [N, 1]; never returns where no row of x is above zero: so it hangs on its sample. */
function hangsOnZeros(): Buffer {
  const node = (op: string, inputs: readonly string[], output: string, attributes: Record<string, Attribute> = {}): Node => {
    return { op, inputs, outputs: [output], attributes };
  };
  const float = (name: string): ValueInfo => ({ name, dtype: DTYPE.float32, dims: ['N', 1] });
  const scalar = (name: string, dtype: number): ValueInfo => ({ name, dtype, dims: [] });
  const body = {
    name: 'body',
    inputs: [scalar('turn', DTYPE.int64), scalar('going', DTYPE.bool), float('before')],
    outputs: [scalar('on', DTYPE.bool), float('after')],
    nodes: [node('Identity', ['going'], 'on'), node('Identity', ['before'], 'after')],
  };
  const nodes = [
    node('ReduceMax', ['x'], 'most', { keepdims: { int: 0 } }),
    node('LessOrEqual', ['most', 'zero'], 'harm'),
    node('Loop', ['', 'harm', 'x'], 'y', { body: { graph: body } }),
  ];
  return onnxModel({
    graph: { name: 'hangs-on-zeros', inputs: [float('x')], outputs: [float('y')], nodes, initializers: [floats('zero', [], [0])] },
  });
}
