import { rmSync } from 'node:fs';
import { Logger } from '@nestjs/common';
import { endlessLoop, failing, linear, slowLoop } from '../../test/onnx/models';
import { callWith, column, ModelFolder } from '../../test/process/model-folder';
import { endOwnHosts, hostsOf, isGone, ticksOf, until } from '../../test/process/processes';
import { RuntimeConfig } from '../config/app-config';
import { EngineSupervisor } from './engine-supervisor';
import type { EngineAnswer, EngineRun, ModelFile } from './model-runtime.port';
import { CallExpired, EngineCrashed, EngineDeadlineExceeded, InferenceFailed, ModelDamaged, ModelRefused } from './runtime.errors';

describe(EngineSupervisor.name, () => {
  const models = new ModelFolder();
  const double = models.file(linear([[2]]));
  const triple = models.file(linear([[3]]));
  const slow = models.file(slowLoop(600_000)); // some 300 ms
  const endless = models.file(endlessLoop());
  const answerOf = (y: number) => ({ outputs: [column('y', y)], queueMs: expect.any(Number), inferMs: expect.any(Number) });
  const host = (): number => hostsOf(process.pid)[0] ?? 0;
  const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});

  let supervisor: EngineSupervisor;
  beforeEach(() => {
    supervisor = new EngineSupervisor(Object.assign(new RuntimeConfig(), { importDeadlineSeconds: 10 }));
    warn.mockClear();
  });
  afterEach(async () => {
    await supervisor.onApplicationShutdown();
    expect(hostsOf(process.pid)).toEqual([]);
  });
  afterAll(endOwnHosts);
  afterAll(() => models.remove());

  /** Starts a call and waits until the engine is busy with it. */
  async function busyWith(file: ModelFile, run: EngineRun): Promise<{ readonly answer: Promise<EngineAnswer> }> {
    await supervisor.load(file);
    const before = ticksOf(host());
    const answer = supervisor.run(file, run);
    answer.catch(() => {}); // the test looks at it later
    await until('the engine computes', () => ticksOf(host()) > before + 3);
    return { answer };
  }

  it('runs a model, and loads it first where that has not been done', async () => {
    expect(await supervisor.run(double, callWith(21))).toEqual(answerOf(42));
    await supervisor.load(triple);
    expect(await supervisor.run(triple, callWith(2))).toEqual(answerOf(6));
    expect(hostsOf(process.pid)).toHaveLength(1);
  });

  it('does one thing after another, in the order in which it was asked', async () => {
    const ended: string[] = [];
    const [first, second, third] = await Promise.all(
      [slow, double, triple].map(async (file, at) => {
        const answer = await supervisor.run(file, callWith(1));
        ended.push(['slow', 'double', 'triple'][at]!);
        return answer;
      }),
    );
    expect(ended).toEqual(['slow', 'double', 'triple']);
    expect(second!.queueMs).toBeGreaterThan(first!.inferMs);
    expect(third!.queueMs).toBeGreaterThan(first!.inferMs + second!.inferMs);
  });

  it('ends a run at its deadline by ending the host, and answers the next from a new one', async () => {
    await supervisor.load(endless);
    await supervisor.load(double);
    const before = host();
    const [hung, next] = await Promise.allSettled([
      supervisor.run(endless, callWith(1, { engineDeadlineMs: 200 })),
      supervisor.run(double, callWith(4)),
    ]);
    expect(hung).toEqual({ status: 'rejected', reason: new EngineDeadlineExceeded(200) });
    expect(next).toEqual({ status: 'fulfilled', value: answerOf(8) });
    expect([isGone(before), host() !== before]).toEqual([true, true]);
    expect(warn).toHaveBeenCalledTimes(1);
  });

  it('does not start a run for which nobody waits any more', async () => {
    await supervisor.load(endless);
    const { answer } = await busyWith(slow, callWith(1));
    const late = supervisor.run(endless, callWith(1, { expiresAt: performance.now() })); // it would never end
    await expect(late).rejects.toThrow(CallExpired);
    expect(await answer).toEqual(answerOf(1));
    expect(await supervisor.run(double, callWith(1))).toEqual(answerOf(2));
  });

  it('tells the running call that the host ended, and answers those behind it from a new one', async () => {
    const { answer } = await busyWith(slow, callWith(1));
    const behind = supervisor.run(double, callWith(1));
    process.kill(host(), 'SIGKILL');
    await expect(answer).rejects.toEqual(new EngineCrashed('SIGKILL'));
    expect(await behind).toEqual(answerOf(2));
    expect(await supervisor.run(slow, callWith(0))).toEqual(answerOf(0));
  });

  it('does not notice Ctrl-C, which a terminal sends to the whole process group', async () => {
    const { answer } = await busyWith(slow, callWith(1));
    process.kill(host(), 'SIGINT');
    process.kill(host(), 'SIGTERM');
    expect(await answer).toEqual(answerOf(1));
  });

  it('replaces a host that ended while there was nothing to do', async () => {
    await supervisor.load(double);
    process.kill(host(), 'SIGKILL');
    await until('it is noticed', () => warn.mock.calls.length > 0);
    expect(await supervisor.run(double, callWith(3))).toEqual(answerOf(6));
  });

  it('frees a model once, however often it is told to', async () => {
    const file = models.file(linear([[4]]));
    await supervisor.load(file);
    rmSync(file.path); // from here on it can be run only where it is in memory
    expect(await supervisor.run(file, callWith(1))).toEqual(answerOf(4));
    await Promise.all([supervisor.unload(file), supervisor.unload(file)]);
    await expect(supervisor.run(file, callWith(1))).rejects.toThrow(ModelRefused);
    expect(hostsOf(process.pid)).toHaveLength(1);
  });

  it('passes on what the host says', async () => {
    const gone = { path: `${models.path}/nothing`, sha256: double.sha256 };
    const other = { path: triple.path, sha256: 'f'.repeat(64) };
    const index = { name: 'x', datatype: 'INT64', shape: [1], data: BigInt64Array.of(7n) } as const;
    await expect(supervisor.load(gone)).rejects.toThrow(ModelRefused);
    await expect(supervisor.load(other)).rejects.toEqual(new ModelDamaged('f'.repeat(64), triple.sha256));
    await expect(supervisor.run(models.file(failing()), { ...callWith(0), inputs: [index] })).rejects.toThrow(InferenceFailed);
    expect(await supervisor.run(double, callWith(1))).toEqual(answerOf(2));
    expect(warn).not.toHaveBeenCalled();
  });

  it('starts no host any more once it is told to stop, whatever was still to be done', async () => {
    const { answer } = await busyWith(endless, callWith(1));
    const waiting = [supervisor.run(double, callWith(1)), supervisor.load(triple), supervisor.unload(double)];
    const refused = [answer, ...waiting].map((work) => expect(work).rejects.toThrow(EngineCrashed));
    await supervisor.onApplicationShutdown();
    expect(hostsOf(process.pid)).toEqual([]);
    await Promise.all(refused);
    await expect(supervisor.run(double, callWith(1))).rejects.toThrow(EngineCrashed);
    expect(hostsOf(process.pid)).toEqual([]);
    expect(warn).not.toHaveBeenCalled();
  });
});
