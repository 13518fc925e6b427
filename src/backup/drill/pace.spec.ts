import { buffer } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import { Pace } from './pace';

/** Works so long without a pause. */
function work(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

describe(Pace, () => {
  it('rests in proportion to the work, and says for how long', async () => {
    const pace = new Pace(0.25);
    const rests: number[] = [];
    for (let piece = 0; piece < 3; piece++) {
      work(6);
      const before = pace.restedMs;
      await pace.rest();
      rests.push(pace.restedMs - before);
    }
    expect(rests.filter((ms) => ms < 15)).toEqual([]); // of 6 ms of work at least thrice as much, but for a timer's rounding
  });

  it('does not rest after trifles, nor where all the time may be taken', async () => {
    const pace = new Pace(1);
    work(6);
    await pace.rest();
    expect(pace.restedMs).toBe(0);
  });

  it('has all who work rest together', async () => {
    const pace = new Pace(0.5);
    work(6);
    const startedAt = performance.now();
    await Promise.all([pace.rest(), pace.rest(), pace.rest()]);
    const once = pace.restedMs;
    expect(once).toBeGreaterThan(0);
    expect(once).toBeLessThanOrEqual(performance.now() - startedAt); // and not three times as long
    jest.spyOn(performance, 'now').mockReturnValue(performance.now());
    const soon = new Pace(0.5);
    await soon.rest();
    jest.restoreAllMocks();
    expect(soon.restedMs).toBe(0); // after a trifle
  });

  it('gives the very bytes, and lets go of the source', async () => {
    const chunks = Array.from({ length: 50 }, (_, at) => Buffer.alloc(1000, at));
    const source = Readable.from(chunks);
    expect(await buffer(new Pace(0.9).pieces(source))).toEqual(Buffer.concat(chunks));
    expect(source.destroyed).toBe(true);
  });
});
