import { predictionKey } from '../../src/inference/prediction-key';
import { firstConfusion } from '../inference/keyed-calls';
import { Random, SEED } from '../open-inference/random';

const PAIRS = 1_000_000;

describe(predictionKey, () => {
  it(`is the same for two calls exactly where they ask the same: ${PAIRS} pairs (SEED=${SEED})`, () => {
    expect(firstConfusion(predictionKey, PAIRS, new Random(SEED))).toBeUndefined();
  }, 600_000);
});
