import { Logger } from '@nestjs/common';
import { callOf, DoublingModel, servedBy } from '../../test/inference/doubling';
import { InferenceConfig, RuntimeConfig } from '../config/app-config';
import { CorrelationContext } from '../logging/correlation-context';
import type { ServedVersion } from '../models/serving/served-version';
import { EngineCrashed, EngineDeadlineExceeded, InferenceFailed, ModelQuarantined } from '../runtime/runtime.errors';
import type { Tensor } from '../runtime/tensor';
import { Admission } from './admission';
import { Coalescer } from './coalescer';
import { Deadlines } from './deadlines';
import type { InferenceCall, InferenceResult } from './inference-call';
import { InferenceService } from './inference.service';

function serviceWith(limits: Partial<InferenceConfig> = {}): InferenceService {
  const config = Object.assign(new InferenceConfig(), limits);
  const coalescer = new Coalescer(new RuntimeConfig());
  return new InferenceService(new Admission(config, coalescer), coalescer, new Deadlines(coalescer), config);
}

const values = ({ outputs: [y] }: InferenceResult): readonly number[] => [...((y as Tensor).data as Float32Array)];
const outcome = (call: Promise<InferenceResult>): Promise<unknown> => call.then(values, (error: { code: string }) => error.code);

describe(Coalescer, () => {
  let service: InferenceService;
  let model: DoublingModel;
  beforeEach(() => {
    service = serviceWith();
    model = new DoublingModel();
  });

  const ask = (target: ServedVersion, rows: readonly number[], more: Partial<InferenceCall> = {}) =>
    service.run(callOf(target, rows, more));

  it('makes one run of the calls of one turn of the event loop, and gives each its own rows', async () => {
    const target = servedBy(model, 8);
    const answers = await Promise.all([[1], [2, 3], [], [4]].map((rows) => ask(target, rows)));
    expect(answers.map(values)).toEqual([[2], [4, 6], [], [8]]);
    expect(model.runs).toEqual([[1, 2, 3, 4]]);
    expect(answers.map(({ outputs }) => outputs[0]?.shape)).toEqual([[1, 1], [2, 1], [0, 1], [1, 1]]); // prettier-ignore
    expect(answers.map(({ rows, batchRows, leads }) => [rows, batchRows, leads])).toEqual([[1, 4, true], [2, 4, false], [0, 4, false], [1, 4, false]]); // prettier-ignore
  });

  it('counts a run once, also where the first of its callers went away while it ran', async () => {
    const target = servedBy(model, 8);
    let leave = (): void => {};
    model.fault = () => {
      leave();
      return undefined;
    };
    const first = outcome(ask(target, [1], { onGone: (listener) => void (leave = listener) }));
    const others = await Promise.all([ask(target, [2]), ask(target, [3])]);
    expect(await first).toBe('CALLER_GONE');
    expect(model.runs).toEqual([[1, 2, 3]]);
    expect(others.map(({ leads }) => leads)).toEqual([true, false]);
  });

  it('makes no run larger than is best for the version, unless a call is', async () => {
    const target = servedBy(model, 3);
    await Promise.all([[1], [2], [3], [4], [5, 6, 7, 8, 9]].map((rows) => ask(target, rows)));
    expect(model.runs).toEqual([[1, 2, 3], [4], [5, 6, 7, 8, 9]]);
  });

  it('makes one run of what waited while every engine was busy', async () => {
    const target = servedBy(model, 8);
    model.busy = true;
    const answers = [1, 2, 3].map((row) => ask(target, [row]));
    await new Promise(setImmediate);
    answers.push(ask(target, [4]), ask(target, [5]));
    await new Promise(setImmediate);
    await model.free();
    expect((await Promise.all(answers)).map(values)).toEqual([[2], [4], [6], [8], [10]]);
    expect(model.runs).toEqual([[1, 2, 3, 4, 5]]);
  });

  it('asks for as many engines as there are batches', async () => {
    const target = servedBy(model, 2);
    model.busy = true;
    const answers = [1, 2, 3, 4, 5].map((row) => ask(target, [row]));
    await new Promise(setImmediate);
    await model.free(2);
    expect(model.runs).toEqual([[1, 2], [3, 4]]); // prettier-ignore
    await model.free();
    await Promise.all(answers);
    expect(model.runs).toEqual([[1, 2], [3, 4], [5]]); // prettier-ignore
  });

  it.each([
    ['of a version whose rows cannot be put together', () => servedBy(model, 1)],
    ['where the metadata says batching: off', () => servedBy(model, 8, { batching: 'off' })],
    ['where the metadata says batching: exact and a batch is not', () => servedBy(model, 8, { batching: 'exact' }, false)],
  ])('runs every call by itself %s', async (_, served) => {
    const target = served();
    await Promise.all([[1], [2], []].map((rows) => ask(target, rows)));
    expect(model.runs).toEqual([[1], [2], []]);
  });

  it.each([
    ['where the metadata says batching: exact and a batch is', { batching: 'exact' as const }, true],
    ['where a batch is not exact and nobody asked for that', {}, false],
  ])('puts calls together %s', async (_, metadata, exact) => {
    await Promise.all([[1], [2]].map((rows) => ask(servedByOnce(metadata, exact), rows)));
    expect(model.runs).toEqual([[1, 2]]);
  });
  let once: ServedVersion | undefined;
  const servedByOnce = (metadata: object, exact: boolean): ServedVersion => (once ??= servedBy(model, 8, metadata, exact));
  beforeEach(() => (once = undefined));

  it('puts together only what has one form: the same outputs', async () => {
    const target = servedBy(model, 8);
    const answers = await Promise.all([['y'], ['z'], ['y']].map((outputs, at) => ask(target, [at], { outputs })));
    expect(answers.map(({ outputs }) => outputs[0]?.name)).toEqual(['y', 'z', 'y']);
    expect(model.runs).toEqual([[0, 2], [1]]);
  });

  it('waits for others as long as the metadata says, and no longer than until a batch is full', async () => {
    const target = servedBy(model, 2, { maxDelayMicros: 60_000 });
    const startedAt = performance.now();
    await ask(target, [1]);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(55);
    const first = ask(target, [2]);
    await new Promise((resolve) => setTimeout(resolve, 10));
    const second = ask(target, [3]);
    await Promise.all([first, second]);
    expect(performance.now() - startedAt).toBeLessThan(110);
    expect(model.runs).toEqual([[1], [2, 3]]);
  });

  it('gives no call the answer of another one: a thousand times a hundred calls that come at odd moments', async () => {
    const target = servedBy(model, 16);
    const wrong: unknown[] = [];
    for (let round = 0; round < 1000; round++) {
      const asked = Array.from({ length: 100 }, async (_, at) => {
        if (at % 3 === 0) await new Promise(setImmediate);
        const nonce = [round * 100 + at, ...(at % 5 === 0 ? [-at] : [])];
        const got = values(await ask(target, nonce, { caller: `caller ${at % 7}` }));
        if (String(got) !== String(nonce.map((row) => 2 * row))) wrong.push({ nonce, got });
      });
      await Promise.all(asked);
    }
    expect(wrong).toEqual([]);
    expect(model.runs.length).toBeLessThan(50_000);
  });

  it('is in nobody’s context when it runs what is everybody’s', async () => {
    const target = servedBy(model, 8);
    const seen: unknown[] = [];
    model.fault = () => void seen.push(CorrelationContext.current);
    const inContext = (id: string) =>
      CorrelationContext.run({ correlationId: id }, () => ask(target, [1]).then(() => CorrelationContext.current));
    expect(await Promise.all([inContext('first'), inContext('second')])).toEqual([{ correlationId: 'first' }, { correlationId: 'second' }]);
    expect(seen).toEqual([undefined]);
  });

  describe('of a batch that fails', () => {
    let warnings: unknown[];
    beforeEach(() => {
      warnings = [];
      jest.spyOn(Logger.prototype, 'warn').mockImplementation((...line: unknown[]) => void warnings.push(line[1]));
    });
    afterEach(() => jest.restoreAllMocks());

    it.each([
      ['a row that the model cannot compute', new InferenceFailed('bad row')],
      ['a row over which the model thinks too long', new EngineDeadlineExceeded(50)],
      ['a row that ends the engine', new EngineCrashed('SIGSEGV')],
    ])('fails %s, and nothing else', async (_, fault) => {
      const target = servedBy(model, 8);
      model.fault = (rows) => (rows.includes(3) ? fault : undefined);
      const answers = await Promise.all([1, 2, 3, 4].map((row) => outcome(ask(target, [row]))));
      expect(answers).toEqual([[2], [4], fault.code, [8]]);
      expect(model.runs).toEqual([[1, 2, 3, 4], [1], [2], [3], [4]]);
    });

    it('names every call of it in the log, where the engine failed', async () => {
      const target = servedBy(model, 8);
      model.fault = (rows) => (rows.length > 1 ? new EngineCrashed('SIGKILL') : undefined);
      await Promise.all([1, 2].map((row) => ask(target, [row], { correlationId: `id-${row}` })));
      expect(warnings).toEqual([{ ids: ['id-1', 'id-2'], err: expect.any(EngineCrashed) }]);
    });

    it('fails all of it where the fault is not one of its calls', async () => {
      const target = servedBy(model, 8);
      target.run = () => Promise.reject(new ModelQuarantined(4));
      expect(await Promise.all([1, 2].map((row) => outcome(ask(target, [row]))))).toEqual(['MODEL_QUARANTINED', 'MODEL_QUARANTINED']);
      expect(model.runs).toEqual([]);
    });

    it('says that it will be run call by call as long as all of its callers wait, so that each fault counts once', async () => {
      const target = servedBy(model, 8);
      const { run } = target;
      const said: unknown[] = [];
      let leave = (): void => {};
      target.run = (next) =>
        run.call(target, () => {
          const asked = next();
          model.fault = (rows) => {
            if (rows.includes(7)) leave();
            said.push([rows, asked?.runsInParts?.()]);
            return rows.length > 1 ? new EngineDeadlineExceeded(50) : undefined;
          };
          return asked;
        });
      await Promise.all([1, 2].map((row) => outcome(ask(target, [row]))));
      const leaving = ask(target, [7], { onGone: (listener) => void (leave = listener) });
      await Promise.all([leaving, ask(target, [8])].map(outcome));
      expect(said).toEqual([[[1, 2], true], [[1], false], [[2], false], [[7, 8], false], [[8], false]]); // prettier-ignore
    });

    it('runs each by itself where the engine ended and another one asks what to run', async () => {
      const target = servedBy(model, 8);
      const { run } = target;
      let first = true;
      target.run = (next) => {
        if (first) next(); // the host that took it ended
        first = false;
        return run.call(target, next);
      };
      expect(await Promise.all([1, 2, 3].map((row) => outcome(ask(target, [row]))))).toEqual([[2], [4], [6]]);
      expect(model.runs).toEqual([[1], [2], [3]]);
    });
  });

  describe('of calls that nobody waits for', () => {
    it('runs none whose time is over', async () => {
      const target = servedBy(model, 8);
      model.busy = true;
      const late = outcome(ask(target, [1], { expiresAt: performance.now() + 20 }));
      const patient = outcome(ask(target, [2]));
      expect(await late).toBe('CALL_DEADLINE_EXCEEDED');
      await model.free();
      expect(await patient).toEqual([4]);
      expect(model.runs).toEqual([[2]]);
    });

    it('runs none whose caller has gone, and makes room for another one at once', async () => {
      service = serviceWith({ maxCallsPerModel: 1 });
      const target = servedBy(model, 8);
      model.busy = true;
      let leave = (): void => {};
      const gone = outcome(ask(target, [1], { onGone: (listener) => void (leave = listener) }));
      await new Promise(setImmediate);
      leave();
      expect(await gone).toBe('CALLER_GONE');
      const next = outcome(ask(target, [2]));
      await model.free();
      expect(await next).toEqual([4]);
      expect(model.runs).toEqual([[2]]);
    });

    it('counts a call once whose time is over before the engine fails it', async () => {
      service = serviceWith({ maxCallsPerModel: 1 });
      const target = servedBy(model, 8);
      const { promise: failing, reject } = Promise.withResolvers<never>();
      target.run = async (next) => (next(), failing);
      expect(await outcome(ask(target, [1], { expiresAt: performance.now() + 20 }))).toBe('CALL_DEADLINE_EXCEEDED');
      reject(new InferenceFailed('too late'));
      await new Promise(setImmediate);
      target.run = () => new Promise(() => {});
      const waiting = ask(target, [2], { expiresAt: performance.now() + 50 });
      expect(await outcome(ask(target, [3]))).toBe('TOO_MANY_CALLS');
      await outcome(waiting);
    });

    it('does not mind a caller that goes when it has been answered', async () => {
      let leave = (): void => {};
      const answer = await ask(servedBy(model, 8), [1], { onGone: (listener) => void (leave = listener) });
      leave();
      expect(values(answer)).toEqual([2]);
    });
  });

  describe('of callers who want more than others', () => {
    it('answers them in turns: who sends one call does not wait behind a thousand', async () => {
      service = serviceWith({ maxCallsPerModel: 1001, maxCalls: 1001 });
      const target = servedBy(model, 4);
      model.busy = true;
      const greedy = Array.from({ length: 1000 }, (_, at) => ask(target, [at], { caller: 'greedy' }));
      await new Promise(setImmediate);
      const modest = ask(target, [-1], { caller: 'modest' });
      await new Promise(setImmediate);
      await model.free(1);
      expect(values(await modest)).toEqual([-2]);
      model.busy = false;
      await model.free();
      await Promise.all(greedy);
      expect(model.runs[0]).toEqual([0, -1, 1, 2]);
    });

    it('takes the place of the newest call of who has the most, where there is none left', async () => {
      service = serviceWith({ maxCallsPerModel: 4 });
      const target = servedBy(model, 1);
      model.busy = true;
      const greedy = [1, 2, 3, 4].map((row) => outcome(ask(target, [row], { caller: 'greedy' })));
      const modest = [10, 11, 12].map((row) => outcome(ask(target, [row], { caller: 'modest' })));
      const more = outcome(ask(target, [5], { caller: 'greedy' }));
      await new Promise(setImmediate);
      model.busy = false;
      await model.free();
      expect(await more).toBe('TOO_MANY_CALLS');
      expect(await Promise.all(greedy)).toEqual([[2], [4], 'TOO_MANY_CALLS', 'TOO_MANY_CALLS']);
      expect(await Promise.all(modest)).toEqual([[20], [22], 'TOO_MANY_CALLS']);
    });

    it('takes one place where there is none left of the model and none in all', async () => {
      service = serviceWith({ maxCallsPerModel: 4, maxCalls: 6 });
      const [target, other] = [servedBy(model, 1), servedBy(model, 1)];
      Object.assign(other.record, { model: 'other' });
      model.busy = true;
      const greedy = [1, 2, 3, 4].map((row) => outcome(ask(target, [row], { caller: 'greedy' })));
      const elsewhere = [5, 6].map((row) => outcome(ask(other, [row], { caller: 'modest' })));
      const modest = outcome(ask(target, [10], { caller: 'modest' }));
      const more = outcome(ask(target, [11], { caller: 'modest' }));
      await new Promise(setImmediate);
      model.busy = false;
      await model.free();
      expect(await Promise.all(greedy)).toEqual([[2], [4], 'TOO_MANY_CALLS', 'TOO_MANY_CALLS']);
      expect(await Promise.all([...elsewhere, modest, more])).toEqual([[10], [12], [20], [22]]);
    });

    it('makes no room for bytes: what is there stays, and the limit holds', async () => {
      service = serviceWith({ maxCallBytesPerModel: 1000 });
      const target = servedBy(model, 1);
      model.busy = true;
      const small = Array.from({ length: 20 }, (_, at) => outcome(ask(target, [at], { caller: 'greedy' })));
      const large = Array.from({ length: 3 }, () => outcome(ask(target, Array<number>(230).fill(1), { caller: 'modest' })));
      await new Promise(setImmediate);
      model.busy = false;
      await model.free();
      expect(await Promise.all(large)).toEqual([Array(230).fill(2), 'TOO_MANY_CALLS', 'TOO_MANY_CALLS']);
      expect(await Promise.all(small)).toEqual(Array.from({ length: 20 }, (_, at) => [2 * at]));
    });
  });
});
