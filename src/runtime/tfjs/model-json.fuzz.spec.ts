import { setBackend } from '@tensorflow/tfjs-core';
import { input, layers, model as functional, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import { quietLibrary } from '../../../test/tfjs/quiet-library';
import { layersFiles, type TfjsFiles } from '../../../test/tfjs/tfjs-files';
import { linearTwin } from '../../../test/tfjs/twins';
import { Chance } from '../../../test/crash/power-cut-random';
import { TfjsRefused } from './tfjs-refused';
import { readModelJson } from './model-json';

const MUTANTS = 1500;
/** What a value is replaced by. */
const HARMFUL: readonly unknown[] = [
  null,
  -1,
  0,
  1e18,
  0.5,
  '',
  '../x',
  'x',
  [],
  {},
  [[]],
  true,
  '__proto__',
  2 ** 31,
  Array.from({ length: 50 }, () => 1),
];

type Node = Record<string, unknown>;

/** Every place of a parsed JSON: what holds it, and its key there. */
function places(value: unknown): [Node, string][] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, each]) => [[value as Node, key] as [Node, string], ...places(each)]);
}

const { seed } = Chance;

describe(`mutants of model.json (CRASH_SEED=${seed})`, () => {
  const chance = new Chance(seed);
  let originals: readonly TfjsFiles[];
  beforeAll(async () => {
    await quietLibrary();
    await setBackend('cpu');
    const x = input({ shape: [4], name: 'x' });
    const y = layers.dense({ units: 3, name: 'y' }).apply(x) as SymbolicTensor;
    originals = [linearTwin([[2], [3]]), await layersFiles(functional({ inputs: x, outputs: y }))];
  });

  it('are read, or refused with a sentence: nothing else is thrown', () => {
    const outcomes = { read: 0, refused: 0 };
    let longest = 0;
    for (let turn = 0; turn < MUTANTS; turn++) {
      const files = originals[turn % originals.length] as TfjsFiles;
      const text = (files['model.json'] as Buffer).toString();
      const json = JSON.parse(text) as unknown;
      const all = places(json);
      for (let times = chance.whole(1, 3); times > 0; times--) {
        const [holder, key] = chance.oneOf(all);
        if (chance.whole(1, 4) === 1) delete holder[key];
        else holder[key] = chance.oneOf(HARMFUL);
      }
      const cut = chance.whole(1, 10) === 1 ? chance.whole(0, text.length) : undefined;
      const bytes = Buffer.from(cut === undefined ? JSON.stringify(json) : text.slice(0, cut));
      const parts = Object.keys(files).map((name) => ({ name, path: '/nowhere', sha256: '' }));
      try {
        readModelJson(bytes, parts);
        outcomes.read++;
      } catch (error) {
        if (!(error instanceof TfjsRefused)) throw new Error(`a mutant: ${bytes.toString()}`, { cause: error });
        outcomes.refused++;
        longest = Math.max(longest, error.message.length);
      }
    }
    expect(longest).toBeLessThan(1000);
    expect(Math.min(outcomes.read, outcomes.refused)).toBeGreaterThan(MUTANTS / 20);
  });
});
