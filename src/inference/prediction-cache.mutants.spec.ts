import { LEFT_OUT } from '../../test/inference/keyed-calls';
import { PredictionHouse } from '../../test/inference/prediction-house';
import { MEASURED } from '../../test/process/any-runtime';
import type { VersionRecord } from '../models/registry/registry-records';
import { ServedVersion } from '../models/serving/served-version';
import type { EngineAnswer, NextRun } from '../runtime/model-runtime.port';
import type { Tensor } from '../runtime/tensor';
import type { CachedResult, InferenceCall } from './inference-call';
import * as keys from './prediction-key';

type Key = typeof keys;

jest.mock('./prediction-key', () => {
  const real = jest.requireActual<Key>('./prediction-key');
  return { ...real, predictionKey: jest.fn(real.predictionKey) };
});
const { predictionKey: soundKey } = jest.requireActual<Key>('./prediction-key');
const keyOf = jest.mocked(keys.predictionKey);

/** A version of "market" that answers `factor` times what it is asked, and with which shape and datatype it was asked. */
function versionTimes(factor: number, model = 'market'): ServedVersion {
  const record = {
    model,
    version: factor,
    executable: `${factor}`.repeat(64),
    manifest: { files: [], metadata: { batching: 'off' } },
    signature: {
      inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, -1] }],
      outputs: ['y', 'shape'].map((name) => ({ name, datatype: 'FP32', shape: [-1] })),
    },
  } as unknown as VersionRecord;
  const run = async (next: NextRun): Promise<EngineAnswer> => {
    await new Promise(setImmediate);
    const { inputs, outputs } = next() ?? { inputs: [], outputs: [] };
    const [x] = inputs as readonly [Tensor];
    const given = { y: Float32Array.from(x.data as Float32Array, (value) => factor * value), shape: Float32Array.from(x.shape) };
    const answers = outputs.map((name): Tensor => {
      const data = given[name as keyof typeof given];
      return { name, datatype: 'FP32', shape: [data.length], data };
    });
    return { outputs: answers, inferMs: 1 };
  };
  const measured = { ...MEASURED, repeatable: true };
  return new ServedVersion(record, { run, unload: async () => {} }, { release: async () => {} }, () => measured);
}

function asking(target: ServedVersion, values: readonly number[], shape: readonly number[] = [1, values.length]): InferenceCall {
  const x: Tensor = { name: 'x', datatype: 'FP32', shape, data: Float32Array.from(values) };
  return { target, inputs: [x], caller: 'ada', correlationId: 'a-call-of-the-test' };
}

const told = ({ outputs }: CachedResult): unknown => outputs.map(({ name, data }) => [name, [...(data as Float32Array)]]);

/** What goes wrong, in words: nothing, where keys are sound. */
const SCENARIOS: Readonly<Record<string, (house: PredictionHouse) => Promise<readonly unknown[]>>> = {
  'a reshaped input': async (house) => {
    const target = versionTimes(1);
    const faults: unknown[] = [];
    for (const shape of [
      [1, 6],
      [6, 1],
      [2, 3],
      [3, 2],
    ]) {
      // prettier-ignore
      const answer = await house.ask(asking(target, [1, 2, 3, 4, 5, 6], shape));
      if (String(answer.outputs[1]?.data) !== String(shape)) faults.push([shape, told(answer)]);
    }
    return faults;
  },
  'another model': async (house) => {
    const answers = [await house.ask(asking(versionTimes(2, 'one'), [21])), await house.ask(asking(versionTimes(3, 'other'), [21]))];
    return answers.filter(({ outputs: [y] }, at) => y?.data[0] !== [42, 63][at]).map(told);
  },
  'other outputs': async (house) => {
    const target = versionTimes(1);
    const faults: unknown[] = [];
    for (const outputs of [['y'], ['shape'], ['shape', 'y'], undefined]) {
      const answer = await house.ask({ ...asking(target, [7]), ...(outputs && { outputs }) });
      if (String(answer.outputs.map(({ name }) => name)) !== String(outputs ?? ['y', 'shape'])) faults.push([outputs, told(answer)]);
    }
    return faults;
  },
  'nought and minus nought': async (house) => {
    const target = versionTimes(1);
    const answers = [await house.ask(asking(target, [0])), await house.ask(asking(target, [-0]))];
    return answers.filter(({ outputs: [y] }, at) => !Object.is(y?.data[0], at === 0 ? 0 : -0)).map(told);
  },
  'promotions under load': async (house) => {
    const versions = [1, 2, 3].map((factor) => versionTimes(factor));
    let production = versions[0] as ServedVersion;
    let going = true;
    const faults: unknown[] = [];
    const one = async (value: number): Promise<void> => {
      while (going) {
        const target = production; // as the catalog resolves it, once for each call
        const answer = await house.ask(asking(target, [value]));
        if (answer.outputs[0]?.data[0] !== value * target.record.version) faults.push([target.record.version, told(answer)]);
        await new Promise(setImmediate);
      }
    };
    const load = Promise.all([10, 10, 10, 20, 20, 20].map(one));
    for (let promotion = 0; promotion < 30; promotion++) {
      for (let turns = 0; turns < 5; turns++) await new Promise(setImmediate);
      production = versions[promotion % 3] as ServedVersion;
    }
    going = false;
    await load;
    return faults;
  },
  'a rollback': async (house) => {
    const [old, next] = [versionTimes(1), versionTimes(2)];
    // in the end it is loaded again, and in its place again: what is kept of it is as good as it was
    const answers = [];
    for (const target of [old, next, versionTimes(1)]) answers.push(await house.ask(asking(target, [10])));
    const seen = answers.map(({ cache, outputs: [y] }) => `${cache.state} ${y?.data[0]}`);
    return seen.join() === 'MISS 10,MISS 20,HIT 10' ? [] : seen;
  },
};

let generation = 0;
/** By scenario, a key that it must find out: one part less than a key must have, or one more. */
const UNSOUND: Readonly<Record<string, readonly (readonly [string, Key['predictionKey']])[]>> = {
  'a reshaped input': [leftOut('without shapes')],
  'another model': [leftOut('without the executable')],
  'other outputs': [leftOut('without the wanted outputs')],
  'nought and minus nought': [leftOut('of numbers instead of bits'), leftOut('without elements')],
  'promotions under load': [leftOut('without the executable')],
  'a rollback': [leftOut('without the executable'), ['with the time at which it was made', (call) => `${soundKey(call)}${generation++}`]],
};

function leftOut(part: string): readonly [string, Key['predictionKey']] {
  return [part, (call) => soundKey((LEFT_OUT[part] as (whole: keys.KeyedCall) => keys.KeyedCall)(call))];
}

describe('the prediction cache', () => {
  let house: PredictionHouse;
  beforeEach(async () => void (house = await PredictionHouse.open()));
  afterEach(async () => {
    keyOf.mockImplementation(soundKey);
    await house.close();
  });

  const wrongIn = (scenario: string): Promise<readonly unknown[]> =>
    (SCENARIOS[scenario] as (each: PredictionHouse) => Promise<readonly unknown[]>)(house);

  it.each(Object.keys(SCENARIOS))('gives everybody their own answer: %s', async (scenario) => {
    expect(await wrongIn(scenario)).toEqual([]);
  });

  it.each(Object.entries(UNSOUND).flatMap(([scenario, unsound]) => unsound.map(([what, key]) => [scenario, what, key] as const)))(
    'would not, with a key that is not sound: %s, %s',
    async (scenario, _what, key) => {
      keyOf.mockImplementation(key);
      expect(await wrongIn(scenario)).not.toEqual([]);
    },
  );
});
