import { ModelQuarantined } from '../runtime.errors';
import { Quarantine } from './quarantine';

const SECOND = 1000;

describe(Quarantine.name, () => {
  let quarantine: Quarantine;
  beforeEach(() => void (quarantine = new Quarantine()));
  const secondsLeft = (now: number): number => {
    try {
      quarantine.require('a', now);
      return 0;
    } catch (error) {
      return Number(/in (\d+) s$/.exec((error as ModelQuarantined).message)?.[1]);
    }
  };

  it('lets a model run that ended two hosts in a minute', () => {
    quarantine.strike('a', 0);
    quarantine.strike('a', SECOND);
    expect(secondsLeft(SECOND)).toBe(0);
    quarantine.strike('a', 60 * SECOND); // the first is a minute ago
    expect(secondsLeft(60 * SECOND)).toBe(0);
  });

  it('locks it up for a second after the third, and nobody else', () => {
    for (let time = 0; time < 3; time++) quarantine.strike('a', time);
    expect(secondsLeft(2)).toBe(1);
    expect(secondsLeft(2 + SECOND)).toBe(0);
    expect(() => quarantine.require('b', 2)).not.toThrow();
  });

  it('doubles the time with every try that fails, up to five minutes', () => {
    for (let time = 0; time < 2; time++) quarantine.strike('a', 0);
    let now = 0;
    const times = Array.from({ length: 11 }, () => {
      quarantine.strike('a', now);
      const seconds = secondsLeft(now);
      now += seconds * SECOND;
      return seconds;
    });
    expect(times).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
  });

  it('begins anew with a model that was good for five minutes, and with one that was forgotten', () => {
    for (let time = 0; time < 4; time++) quarantine.strike('a', 0);
    quarantine.strike('a', 400 * SECOND);
    expect(secondsLeft(400 * SECOND)).toBe(0);
    for (let time = 0; time < 4; time++) quarantine.strike('a', 500 * SECOND);
    quarantine.forget('a');
    expect(secondsLeft(500 * SECOND)).toBe(0);
  });

  it('says for how long, so that a caller can come back', () => {
    for (let time = 0; time < 3; time++) quarantine.strike('a', 0);
    expect(() => quarantine.require('a', 100)).toThrow(new ModelQuarantined(1));
  });
});
