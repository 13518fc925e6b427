import { FIRST_SEED, Trials } from './registry-model-suite';

const HOUR_MS = 3_600_000;

describe(`the registry against a model of it, SEED=${FIRST_SEED}`, () => {
  const trials = new Trials();
  afterAll(() => trials.dispose());

  it('never differs from it in 10 000 random lives', async () => expect(await trials.firstDifference(10_000)).toBeUndefined(), HOUR_MS);
  it('nor in 300 on files', async () => expect(await trials.firstDifference(300, trials.onFiles)).toBeUndefined(), HOUR_MS);
});
