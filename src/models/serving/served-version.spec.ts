import type { EngineAnswer, NextRun, LoadedModel } from '../../runtime/model-runtime.port';
import type { VersionRecord } from '../registry/registry-records';
import { ServedVersion } from './served-version';

const RUN: NextRun = () => ({ inputs: [], outputs: [], engineDeadlineMs: 1000 });
const ANSWER: EngineAnswer = { outputs: [], inferMs: 2 };

/** A version in memory: its calls end when they are told to, and what happens to it is written down in order. */
function served() {
  const events: string[] = [];
  const calls: PromiseWithResolvers<EngineAnswer>[] = [];
  const model: LoadedModel = {
    run: () => {
      events.push('run');
      const call = Promise.withResolvers<EngineAnswer>();
      calls.push(call);
      return call.promise;
    },
    unload: async () => void events.push('unload'),
  };
  const file = { path: '/nowhere', release: async () => void events.push('release') };
  return { version: new ServedVersion({} as VersionRecord, model, file, () => undefined), model, events, calls };
}

/** Long enough for everything that waits for nothing but promises. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe(ServedVersion, () => {
  it('gives the answer of the engine, and keeps the model in memory', async () => {
    const { version, calls, events } = served();
    const answer = version.run(RUN);
    calls[0]?.resolve(ANSWER);
    await expect(answer).resolves.toBe(ANSWER);
    await settled();
    expect(events).toEqual(['run']);
  });

  it('frees its memory, then its file, at once where no call runs', async () => {
    const { version, events } = served();
    await version.retire();
    expect(events).toEqual(['unload', 'release']);
  });

  it('waits for the calls that run, and frees its memory once, after the last', async () => {
    const { version, calls, events } = served();
    const answers = [version.run(RUN), version.run(RUN)];
    await version.retire();
    calls[1]?.resolve(ANSWER);
    await answers[1];
    await settled();
    expect(events).toEqual(['run', 'run']);
    calls[0]?.resolve(ANSWER);
    await expect(answers[0]).resolves.toBe(ANSWER);
    await settled();
    expect(events).toEqual(['run', 'run', 'unload', 'release']);
  });

  it('does not hold up whoever retires it while calls run', async () => {
    const { version, calls } = served();
    const answer = version.run(RUN);
    await expect(version.retire()).resolves.toBeUndefined();
    calls[0]?.resolve(ANSWER);
    await answer;
  });

  it('counts a call that failed as one that is over', async () => {
    const { version, calls, events } = served();
    const answer = version.run(RUN);
    await version.retire();
    calls[0]?.reject(new Error('index out of bounds'));
    await expect(answer).rejects.toThrow('index out of bounds');
    await settled();
    expect(events).toEqual(['run', 'unload', 'release']);
  });

  it('counts a call that the engine refused at once as one that is over', async () => {
    const { version, model, events } = served();
    model.run = () => {
      throw new Error('no engine');
    };
    await expect(version.run(RUN)).rejects.toThrow('no engine');
    await version.retire();
    expect(events).toEqual(['unload', 'release']);
  });

  it('answers a call that comes after it retired, and frees its memory again', async () => {
    const { version, calls, events } = served();
    await version.retire();
    const answer = version.run(RUN);
    calls[0]?.resolve(ANSWER);
    await expect(answer).resolves.toBe(ANSWER);
    await settled();
    expect(events).toEqual(['unload', 'release', 'run', 'unload', 'release']);
  });

  it('does not make the last caller wait until the memory is free', async () => {
    const { version, model, calls } = served();
    model.unload = () => new Promise(() => {});
    const answer = version.run(RUN);
    await version.retire();
    calls[0]?.resolve(ANSWER);
    await expect(answer).resolves.toBe(ANSWER);
  });

  it('releases its file although the engine that held it is gone', async () => {
    const { version, model, events } = served();
    model.unload = () => Promise.reject(new Error('the host is gone'));
    await expect(version.retire()).resolves.toBeUndefined();
    expect(events).toEqual(['release']);
  });
});
