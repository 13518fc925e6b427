import { Demotions } from './demotions';

describe(Demotions, () => {
  let demotions: Demotions;
  let now: number;
  beforeEach(() => {
    demotions = new Demotions();
    now = 1000;
    jest.spyOn(performance, 'now').mockImplementation(() => now);
  });
  afterEach(() => jest.restoreAllMocks());

  /** @returns for how many seconds it was away */
  function demote(): number {
    const seconds = demotions.add('model');
    expect([demotions.has('model'), demotions.has('other')]).toEqual([true, false]);
    now += seconds * 1000 - 1;
    expect(demotions.has('model')).toBe(true);
    now += 1;
    expect(demotions.has('model')).toBe(false);
    return seconds;
  }

  it('keeps a model away for longer each time', () => {
    expect(demotions.has('model')).toBe(false);
    expect(Array.from({ length: 7 }, demote)).toEqual([1, 4, 16, 64, 256, 600, 600]);
  });

  it('forgets what was ten minutes ago', () => {
    expect([demote(), demote()]).toEqual([1, 4]);
    now += 599_000;
    expect(demote()).toBe(16);
    now += 601_000;
    expect(demote()).toBe(1);
  });
});
