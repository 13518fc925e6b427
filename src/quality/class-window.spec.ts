import * as fc from 'fast-check';
import { type ClassificationFigures, ClassWindow } from './class-window';

type Pair = readonly [predicted: string, actual: string];

/** The figures of all pairs, each counted by its definition. */
function counted(pairs: readonly Pair[]): Pick<ClassificationFigures, 'accuracy' | 'precision' | 'recall'> {
  const labels = [...new Set(pairs.flat())];
  const share = (of: readonly Pair[], right: (pair: Pair) => boolean): number =>
    of.length === 0 ? 0 : of.filter(right).length / of.length;
  const meanOf = (figure: (label: string) => number): number => labels.reduce((sum, label) => sum + figure(label), 0) / labels.length;
  return {
    accuracy: share(pairs, ([predicted, actual]) => predicted === actual),
    precision: meanOf((label) => share(pairs.filter(([predicted]) => predicted === label), ([, actual]) => actual === label)), // prettier-ignore
    recall: meanOf((label) => share(pairs.filter(([, actual]) => actual === label), ([predicted]) => predicted === label)), // prettier-ignore
  };
}

function told(size: number, pairs: readonly Pair[]): ClassWindow {
  const window = new ClassWindow(size);
  for (const [predicted, actual] of pairs) window.add(predicted, actual);
  return window;
}

describe(ClassWindow, () => {
  it('has no figures before anything was told', () => {
    expect(new ClassWindow(10).figures()).toBeUndefined();
  });

  it('has the figures that a table of four outcomes has', () => {
    // said: cat cat dog bird; true: cat dog dog cat
    const pairs: readonly Pair[] = [['cat', 'cat'], ['cat', 'dog'], ['dog', 'dog'], ['bird', 'cat']]; // prettier-ignore
    expect(told(10, pairs).figures()).toEqual({
      accuracy: 2 / 4,
      precision: (1 / 2 + 1 / 1 + 0) / 3,
      recall: (1 / 2 + 1 / 2 + 0) / 3,
      classes: [
        { label: 'cat', precision: 1 / 2, recall: 1 / 2, predicted: 2, actual: 2 },
        { label: 'dog', precision: 1, recall: 1 / 2, predicted: 1, actual: 2 },
        { label: 'bird', precision: 0, recall: null, predicted: 1, actual: 0 },
      ],
    });
  });

  it('keeps the text "1" and the number 1 apart', () => {
    const window = new ClassWindow(10);
    window.add('1', 1);
    expect(window.figures()?.accuracy).toBe(0);
  });

  it('has the figures of the last outcomes only, and no class of older ones', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.constantFrom('a', 'b', 'c', 'd')), { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 20 }),
        (pairs, size) => {
          const { classes, ...figures } = told(size, pairs).figures() as ClassificationFigures;
          const last = pairs.slice(-size);
          const expected = counted(last);
          for (const name of ['accuracy', 'precision', 'recall'] as const) expect(figures[name]).toBeCloseTo(expected[name], 12);
          expect(classes.map(({ label }) => label).sort()).toEqual([...new Set(last.flat())].sort());
        },
      ),
      { numRuns: 500 },
    );
  });

  it('knows no more classes than its outcomes have, however many come', () => {
    const window = new ClassWindow(10);
    for (let at = 0; at < 10_000; at++) window.add(`p${at}`, `a${at}`);
    expect(window.figures()?.classes).toHaveLength(20);
  });
});
