import { InferenceConfig, RuntimeConfig } from '../config/app-config';
import { CallExpired, EngineCrashed, EngineDeadlineExceeded, InferenceFailed, ModelQuarantined } from '../runtime/runtime.errors';
import { Admission } from './admission';
import { Coalescer } from './coalescer';
import type { InferenceCall } from './inference-call';
import { CallerGone, TooManyCalls } from './inference.errors';
import type { WaitingCall } from './waiting-call';

interface Gate {
  admit<T>(model: string, work: () => Promise<T>): Promise<T>;
}

interface Limits {
  readonly maxCalls?: number;
  readonly maxCallsPerModel?: number;
}

const callOf = (model: string) => ({ caller: 'ada', inputs: [], target: { record: { model } } }) as unknown as InferenceCall;
const admissionOf = (limits: Limits) => new Admission(Object.assign(new InferenceConfig(), limits), new Coalescer(new RuntimeConfig()));

function admission(limits: Limits): Gate {
  const gate = admissionOf(limits);
  return {
    async admit(model, work) {
      const release = gate.admit(callOf(model));
      try {
        const result = await work();
        release(result);
        return result;
      } catch (error) {
        release(error);
        throw error;
      }
    },
  };
}

/** A call that runs until it is told to end. */
function openCall(gate: Gate, model: string) {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  return { done: gate.admit(model, () => promise), resolve, reject };
}

function refusal(message: string, expected: string): Error {
  return expect.objectContaining({ code: 'TOO_MANY_CALLS', kind: 'overloaded', message, details: { expected } });
}

describe(Admission, () => {
  it('gives what the work gave', async () => {
    await expect(admission({}).admit('iris', async () => 42)).resolves.toBe(42);
  });

  it('turns away the call that is one too many of a model, without starting it', async () => {
    const gate = admission({ maxCallsPerModel: 2 });
    const calls = [openCall(gate, 'iris'), openCall(gate, 'iris')];
    const work = jest.fn();
    await expect(gate.admit('iris', work)).rejects.toThrow(
      refusal('Too many calls of "iris" are waiting or running already: try again in 1 s', 'at most 2 calls at a time'),
    );
    expect(work).not.toHaveBeenCalled();
    for (const { resolve } of calls) resolve('done');
    await expect(Promise.all(calls.map(({ done }) => done))).resolves.toEqual(['done', 'done']);
  });

  it('turns away the call that is one too many in all', async () => {
    const gate = admission({ maxCalls: 2, maxCallsPerModel: 2 });
    const calls = [openCall(gate, 'iris'), openCall(gate, 'price')];
    await expect(gate.admit('spam', async () => {})).rejects.toThrow(
      refusal('Too many calls in all are waiting or running already: try again in 1 s', 'at most 2 calls at a time'),
    );
    for (const { resolve } of calls) resolve('done');
    await Promise.all(calls.map(({ done }) => done));
  });

  it('keeps one busy model from shutting out the others', async () => {
    const gate = admission({ maxCalls: 3, maxCallsPerModel: 2 });
    const calls = [openCall(gate, 'busy'), openCall(gate, 'busy')];
    await expect(gate.admit('busy', async () => {})).rejects.toThrow(refusal(expect.any(String), 'at most 2 calls at a time'));
    await expect(gate.admit('quiet', async () => 'answered')).resolves.toBe('answered');
    for (const { resolve } of calls) resolve('done');
    await Promise.all(calls.map(({ done }) => done));
  });

  it.each([
    ['answers', (call: ReturnType<typeof openCall>) => call.resolve('done')],
    ['fails', (call: ReturnType<typeof openCall>) => call.reject(new Error('the engine failed'))],
  ])('makes room again when a call %s', async (_, end) => {
    const gate = admission({ maxCalls: 1, maxCallsPerModel: 1 });
    const call = openCall(gate, 'iris');
    await expect(gate.admit('iris', async () => {})).rejects.toThrow('Too many calls of "iris"');
    end(call);
    await Promise.allSettled([call.done]);
    await expect(gate.admit('iris', async () => 'answered')).resolves.toBe('answered');
  });

  it('makes room again when the work throws at once', async () => {
    const gate = admission({ maxCalls: 1, maxCallsPerModel: 1 });
    const work = (): Promise<never> => {
      throw new Error('never started');
    };
    await expect(gate.admit('iris', work)).rejects.toThrow('never started');
    await expect(gate.admit('iris', async () => 'answered')).resolves.toBe('answered');
  });

  describe('tells how long it takes until there is room', () => {
    let now = 0;
    beforeEach(() => {
      now = 0;
      jest.spyOn(performance, 'now').mockImplementation(() => now);
    });
    afterEach(() => jest.restoreAllMocks());

    /** Of ten calls at a time five end in a second. @returns what the eleventh is told, in seconds */
    function retryAfter(outcome: unknown): number {
      const gate = admissionOf({ maxCalls: 10, maxCallsPerModel: 10 });
      const releases = Array.from({ length: 10 }, () => gate.admit(callOf('iris')));
      now = 1000;
      for (const release of releases.slice(0, 5)) release(outcome);
      for (let more = 0; more < 5; more++) gate.admit(callOf('iris'));
      try {
        gate.admit(callOf('iris'));
      } catch (error) {
        return (error as TooManyCalls).retryAfterSeconds;
      }
      throw new Error('there was room');
    }

    it.each([
      ['a result', { outputs: [] }],
      ['an input that the model cannot compute', new InferenceFailed('bad row')],
      ['a run that took too long', new EngineDeadlineExceeded(50)],
      ['an engine that ended', new EngineCrashed('SIGSEGV')],
    ])('by what engines did: %s', (_, outcome) => {
      expect(retryAfter(outcome)).toBe(2);
    });

    it.each([
      ['waited too long', new CallExpired()],
      ['had left', new CallerGone()],
      ['was turned away', new TooManyCalls('in all', '10 calls at a time')],
      ['no engine was asked for', new ModelQuarantined(1)],
    ])('and not by who %s', (_, outcome) => {
      expect(retryAfter(outcome)).toBe(10);
    });
  });

  describe('counts why there was no room', () => {
    const call = (caller: string, bytes: number) => ({ ...callOf('iris'), caller, inputs: [{ data: new Uint8Array(bytes) }] });
    const fail = jest.fn();
    const gateOf = (limits: Partial<InferenceConfig>): Admission => {
      const coalescer = new Coalescer(new RuntimeConfig());
      jest.spyOn(coalescer, 'newestOf').mockReturnValue({ call: { target: {} }, fail } as unknown as WaitingCall);
      return new Admission(Object.assign(new InferenceConfig(), limits), coalescer);
    };

    it.each([
      ['model_calls', { maxCallsPerModel: 1 }],
      ['all_calls', { maxCalls: 1 }],
      ['model_bytes', { maxCallBytesPerModel: 4 }],
      ['all_bytes', { maxCallBytes: 4 }],
    ])('%s', (reason, limits) => {
      const gate = gateOf(limits);
      gate.admit(call('ada', 4) as unknown as InferenceCall);
      expect(() => gate.admit(call('ada', 4) as unknown as InferenceCall)).toThrow(TooManyCalls);
      expect([...gate.refusals]).toEqual([[reason, 1]]);
      expect(gate.load).toMatchObject({ calls: 1, bytes: 4 });
    });

    it('fairness', () => {
      const gate = gateOf({ maxCalls: 2 });
      for (const caller of ['ada', 'ada', 'bob']) gate.admit(call(caller, 0) as unknown as InferenceCall);
      expect(fail).toHaveBeenCalledTimes(1);
      expect([...gate.refusals]).toEqual([['fairness', 1]]);
    });
  });

  it('does not count a call that it turned away', async () => {
    const gate = admission({ maxCalls: 1, maxCallsPerModel: 1 });
    const call = openCall(gate, 'iris');
    const refused = await Promise.allSettled(Array.from({ length: 10 }, () => gate.admit('iris', async () => {})));
    expect(refused.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 'rejected'));
    call.resolve('done');
    await call.done;
    await expect(gate.admit('iris', async () => 'answered')).resolves.toBe('answered');
  });

  it('counts right through a thousand calls that come and go', async () => {
    const gate = admission({ maxCalls: 64, maxCallsPerModel: 16 });
    const running = { iris: 0, price: 0, spam: 0 };
    let most = 0;
    const answers = Array.from({ length: 1000 }, async (_, at) => {
      for (let turn = 0; turn <= at % 10; turn++) await new Promise((resolve) => setImmediate(resolve));
      const model = (['iris', 'price', 'spam'] as const)[at % 3] as keyof typeof running;
      return gate.admit(model, async () => {
        most = Math.max(most, ++running[model]);
        await new Promise((resolve) => setImmediate(resolve));
        running[model]--;
        if (at % 7 === 0) throw new Error('one of seven fails');
      });
    });
    const outcomes = await Promise.allSettled(answers);
    expect(outcomes.some(({ status }) => status === 'fulfilled')).toBe(true);
    expect(most).toBe(16);
    const fill = Array.from({ length: 16 }, () => openCall(gate, 'iris'));
    for (const { resolve } of fill) resolve('done');
    await expect(Promise.all(fill.map(({ done }) => done))).resolves.toHaveLength(16);
  });
});
