import { rmSync } from 'node:fs';
import { Logger } from '@nestjs/common';
import { endlessLoop, failing, linear, padded, slowLoop } from '../../../test/onnx/models';
import { callWith, column, ModelFolder } from '../../../test/process/model-folder';
import { endOwnHosts, hostsOf, isGone, ticksOf, until } from '../../../test/process/processes';
import { RuntimeConfig } from '../../config/app-config';
import { EngineSupervisor } from './engine-supervisor';
import { HostLauncher } from './host-launcher';
import type { EngineAnswer, EngineRun, ModelFile, NextRun } from '../model-runtime.port';
import { EngineCrashed, EngineDeadlineExceeded, InferenceFailed, ModelDamaged, ModelRefused } from '../runtime.errors';

describe(EngineSupervisor.name, () => {
  const models = new ModelFolder();
  const config = Object.assign(new RuntimeConfig(), { importDeadlineSeconds: 10 });
  const launcher = new HostLauncher(config);
  const bounded = (bytes: Buffer): ModelFile => ({ ...models.file(bytes), bounded: true });
  const double = models.file(linear([[2]]));
  const triple = models.file(linear([[3]]));
  const slow = models.file(slowLoop(600_000)); // some 300 ms
  const slower = models.file(slowLoop(4_000_000)); // some 2 s, in which a host starts on any machine
  const endless = models.file(endlessLoop());
  const answerOf = (y: number) => ({ outputs: [column('y', y)], inferMs: expect.any(Number) });
  const host = (): number => hostsOf(process.pid)[0] ?? 0;
  const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});

  let supervisor: EngineSupervisor;
  beforeEach(() => {
    supervisor = new EngineSupervisor(config, launcher, undefined, 2);
    warn.mockClear();
  });
  afterEach(async () => {
    await supervisor.onApplicationShutdown();
    expect(hostsOf(process.pid)).toEqual([]);
  });
  afterAll(endOwnHosts);
  afterAll(() => models.remove());

  /** Starts a call and waits until the engine is busy with it. */
  async function busyWith(file: ModelFile, run: NextRun): Promise<{ readonly answer: Promise<EngineAnswer> }> {
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

  it('answers the calls of a model in the order in which they came', async () => {
    const ended: number[] = [];
    await Promise.all([1, 2, 3, 4, 5].map((x) => supervisor.run(double, callWith(x)).then(() => ended.push(x))));
    expect(ended).toEqual([1, 2, 3, 4, 5]);
  });

  it('gives the models that wait a turn each, however much one of them asks for', async () => {
    const alone = new EngineSupervisor(config, launcher, undefined, 1);
    const ended: string[] = [];
    await alone.load(double);
    const call = (name: string, file: ModelFile) => alone.run(file, callWith(1)).then(() => ended.push(name));
    await Promise.all([...Array.from({ length: 10 }, () => call('double', double)), call('triple', triple)]);
    await alone.onApplicationShutdown();
    expect(ended.indexOf('triple')).toBeLessThan(4);
  });

  it('gives the next engine to the model with the fewest at work: who came last does not wait for a turn of who keeps them busy', async () => {
    const known = { ...slow, usualMs: 10_000 }; // no spare
    let begun = 0;
    const many = Promise.all(Array.from({ length: 4 }, () => supervisor.run(known, () => (begun++, callWith(1)()))));
    await until('both engines are at work', () => begun === 2);
    let begunMeanwhile = Number.NaN;
    await supervisor.run(double, () => {
      begunMeanwhile = begun - 2;
      return callWith(1)();
    });
    await many;
    expect(begunMeanwhile).toBe(0);
  });

  it('loads a model into one host only, as long as that one keeps up', async () => {
    await supervisor.load(double);
    const [only] = hostsOf(process.pid);
    for (let call = 0; call < 20; call++) await supervisor.run(double, callWith(call));
    expect(hostsOf(process.pid)).toEqual([only]);
  });

  it('loads a model into a second host when the first is busy with it for long, and never starts more hosts than it may', async () => {
    await supervisor.load(slow);
    await Promise.all([1, 1, 1, 1].map((x) => supervisor.run({ ...slow, usualMs: 1000 }, callWith(x))));
    expect(hostsOf(process.pid)).toHaveLength(2);
  });

  it('starts a spare for what waits behind a run that takes much longer than usual, and lets it go afterwards', async () => {
    const single = new EngineSupervisor(config, launcher, undefined, 1);
    await single.load(double);
    const slowly = single.run(slower, callWith(1, { engineDeadlineMs: 60_000 })); // however slow the machine is
    const queuedAt = performance.now();
    let waited = Number.NaN;
    await single.run(double, () => {
      waited = performance.now() - queuedAt;
      return callWith(1)();
    });
    const busy = hostsOf(process.pid).length;
    const { inferMs } = await slowly;
    await until('there is one host again', () => hostsOf(process.pid).length === 1);
    await single.onApplicationShutdown();
    expect(busy).toBe(2);
    expect(waited).toBeGreaterThan(80);
    expect(inferMs).toBeGreaterThan(waited);
  });

  it('never lets a model that is not proved to be bounded share a host with one that is', async () => {
    await supervisor.load(bounded(linear([[7]])));
    const [first] = hostsOf(process.pid);
    await supervisor.load(bounded(linear([[8]])));
    expect(hostsOf(process.pid)).toEqual([first]);
    await supervisor.load(double);
    await supervisor.load(triple);
    expect(hostsOf(process.pid)).toHaveLength(2);
  });

  it('takes a host from the one kind where the other has none and there may be no more', async () => {
    await Promise.all([1, 1, 1].map((x) => supervisor.run({ ...slow, usualMs: 1000 }, callWith(x))));
    expect(hostsOf(process.pid)).toHaveLength(2);
    expect(await supervisor.run(bounded(linear([[2]])), callWith(21))).toEqual(answerOf(42));
    expect(hostsOf(process.pid).length).toBeLessThanOrEqual(2);
    expect(await supervisor.run(slow, callWith(0))).toEqual(answerOf(0));
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

  it('starts nothing where nobody waits any more by the time an engine is free', async () => {
    await supervisor.load(endless);
    const { answer } = await busyWith(slow, callWith(1));
    const late = supervisor.run(endless, () => undefined); // a run would never end
    expect(await late).toEqual({ outputs: [], inferMs: 0 });
    expect(await answer).toEqual(answerOf(1));
    expect(await supervisor.run(double, callWith(1))).toEqual(answerOf(2));
  });

  it('asks what to run when an engine is free, and again where that one ended', async () => {
    await supervisor.onApplicationShutdown();
    supervisor = new EngineSupervisor(config, launcher, undefined, 1); // and no spare: it is known to be slow
    const known = { ...slow, usualMs: 10_000 };
    const { answer } = await busyWith(known, callWith(1));
    const asked: number[] = [];
    const behind = supervisor.run(known, () => {
      asked.push(asked.length + 1);
      return callWith(asked.length)();
    });
    expect(asked).toEqual([]);
    await answer;
    await until('it runs', () => asked.length === 1);
    for (const pid of hostsOf(process.pid)) process.kill(pid, 'SIGKILL');
    expect(await behind).toEqual(answerOf(2));
    expect(asked).toEqual([1, 2]);
  });

  it('runs a call once more whose host ended, and answers those behind it', async () => {
    const { answer } = await busyWith(slow, callWith(1));
    const behind = supervisor.run(double, callWith(1));
    process.kill(host(), 'SIGKILL');
    expect(await answer).toEqual(answerOf(1));
    expect(await behind).toEqual(answerOf(2));
  });

  it('tells a call whose hosts ended twice, and answers those behind it', async () => {
    const { answer } = await busyWith(slow, callWith(1));
    const first = host();
    process.kill(first, 'SIGKILL');
    const second = await until('a new host computes', () => hostsOf(process.pid).find((pid) => pid !== first && ticksOf(pid) > 20));
    process.kill(second, 'SIGKILL');
    await expect(answer).rejects.toEqual(new EngineCrashed('SIGKILL'));
    expect(await supervisor.run(double, callWith(1))).toEqual(answerOf(2));
    expect(await supervisor.run(slow, callWith(0))).toEqual(answerOf(0));
  });

  it('leaves a model alone for a while that ends its hosts again and again, and serves the others', async () => {
    const hang = () => supervisor.run(endless, callWith(1, { engineDeadlineMs: 50 }));
    for (let time = 0; time < 3; time++) await expect(hang()).rejects.toEqual(new EngineDeadlineExceeded(50));
    await expect(hang()).rejects.toMatchObject({ code: 'MODEL_QUARANTINED', kind: 'unavailable' });
    expect(await supervisor.run(double, callWith(4))).toEqual(answerOf(8));
    await until('it may try again', () => supervisor.run(endless, callWith(0)).catch(() => false as const), 2000);
    await expect(hang()).rejects.toEqual(new EngineDeadlineExceeded(50));
    await expect(hang()).rejects.toMatchObject({ code: 'MODEL_QUARANTINED' });
  });

  it('blames a model for the parts of a run, where they are run by themselves, and not for the whole as well', async () => {
    let partsToo = true;
    const call = callWith(1, { engineDeadlineMs: 50 });
    const run: NextRun = () => ({ ...(call() as EngineRun), runsInParts: () => partsToo });
    for (let time = 0; time < 4; time++) await expect(supervisor.run(endless, run)).rejects.toEqual(new EngineDeadlineExceeded(50));
    partsToo = false;
    for (let time = 0; time < 3; time++) await expect(supervisor.run(endless, run)).rejects.toEqual(new EngineDeadlineExceeded(50));
    await expect(supervisor.run(endless, run)).rejects.toMatchObject({ code: 'MODEL_QUARANTINED' });
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

  it('blames no model for a host that somebody killed while it had nothing to do', async () => {
    for (let time = 0; time < 5; time++) {
      expect(await supervisor.run(double, callWith(time))).toEqual(answerOf(2 * time));
      for (const pid of hostsOf(process.pid)) process.kill(pid, 'SIGKILL'); // and calls before that is noticed
    }
    expect(await supervisor.run(double, callWith(4))).toEqual(answerOf(8));
  });

  it('loads a model in a host of its own where it finds no room in one with others', async () => {
    const tight = Object.assign(new RuntimeConfig(), { hostMemoryMb: 100 }); // room for one of them
    const cramped = new EngineSupervisor(tight, new HostLauncher(tight), undefined, 1);
    const [one, other] = [40e6, 41e6].map((bytes) => models.file(padded(bytes))) as [ModelFile, ModelFile];
    await cramped.load(one);
    const [first] = hostsOf(process.pid);
    await cramped.load(other);
    expect(hostsOf(process.pid)).not.toContain(first);
    await cramped.load(one); // and back
    await cramped.onApplicationShutdown();
  });

  it('leaves a host as it is that refuses a model for what the model is', async () => {
    await supervisor.load(double);
    const before = hostsOf(process.pid);
    await expect(supervisor.load(models.file(Buffer.from('no model')))).rejects.toThrow(ModelRefused);
    expect(hostsOf(process.pid)).toEqual(before);
    expect(await supervisor.run(double, callWith(3))).toEqual(answerOf(6));
  });

  it('passes on what the host says', async () => {
    const gone = { path: `${models.path}/nothing`, sha256: double.sha256 };
    const other = { path: triple.path, sha256: 'f'.repeat(64) };
    const index = { name: 'x', datatype: 'INT64', shape: [1], data: BigInt64Array.of(7n) } as const;
    await expect(supervisor.load(gone)).rejects.toThrow(ModelRefused);
    await expect(supervisor.load(other)).rejects.toEqual(new ModelDamaged('f'.repeat(64), triple.sha256));
    await expect(
      supervisor.run(models.file(failing()), () => ({ outputs: ['y'], engineDeadlineMs: 10_000, inputs: [index] })),
    ).rejects.toThrow(InferenceFailed);
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
