import { type Asker, SingleFlight } from './single-flight';

class Own extends Error {}
class Expired extends Error {}
class Gone extends Error {}

const flights = (): SingleFlight<string> =>
  new SingleFlight({ expired: () => new Expired(), gone: () => new Gone(), isOwn: (error) => error instanceof Own });

/** Work whose end the test decides. */
function works() {
  const begun: PromiseWithResolvers<string>[] = [];
  const work = jest.fn(() => {
    const end = Promise.withResolvers<string>();
    begun.push(end);
    return end.promise;
  });
  return { begun, work };
}

/** Somebody who may go away. */
function leaver(): { asker: Asker; leave: () => void } {
  const listeners: (() => void)[] = [];
  return { asker: { onGone: (listener) => listeners.push(listener) }, leave: () => listeners.forEach((listener) => listener()) };
}

const turn = (): Promise<void> => new Promise(setImmediate);

describe(SingleFlight, () => {
  let flight: SingleFlight<string>;
  beforeEach(() => (flight = flights()));

  /** Nobody and nothing is left. */
  const expectNothingLeft = (): void => expect([flight.size, flight.waiting]).toEqual([0, 0]);

  it('does once what 1,000 ask for at the same time', async () => {
    const { begun, work } = works();
    const answers = Array.from({ length: 1000 }, () => flight.run('key', work));
    expect([flight.size, flight.waiting]).toEqual([1, 999]);
    begun[0]!.resolve('done');
    const flown = await Promise.all(answers);
    expect(work).toHaveBeenCalledTimes(1);
    expect(flown.filter(({ value }) => value === 'done')).toHaveLength(1000);
    expect(flown.filter(({ shared }) => !shared)).toHaveLength(1);
    expectNothingLeft();
  });

  it('does twice what is asked for one after the other, or under two keys', async () => {
    const work = jest.fn(async () => 'done');
    await Promise.all([flight.run('a', work), flight.run('b', work)]);
    await flight.run('a', work);
    expect(work).toHaveBeenCalledTimes(3);
    expectNothingLeft();
  });

  it('hands over to one, and to one only, where the leader fails', async () => {
    const { begun, work } = works();
    const leader = flight.run('key', work);
    const others = Array.from({ length: 100 }, () => flight.run('key', work));
    begun[0]!.reject(new Error('broken'));
    await expect(leader).rejects.toThrow('broken');
    await turn();
    expect(work).toHaveBeenCalledTimes(2);
    const late = flight.run('key', work);
    begun[1]!.resolve('done');
    const flown = await Promise.all([...others, late]);
    expect(work).toHaveBeenCalledTimes(2);
    expect(flown.filter(({ shared }) => !shared)).toHaveLength(1);
    expectNothingLeft();
  });

  it('tells all of them where two fail: they would all fail, one after the other', async () => {
    const { begun, work } = works();
    const all = Array.from({ length: 100 }, () => flight.run('key', work));
    const ends = Promise.allSettled(all);
    begun[0]!.reject(new Error('first'));
    await turn();
    begun[1]!.reject(new Error('second'));
    const reasons = (await ends).map((end) => (end as PromiseRejectedResult).reason.message);
    expect(work).toHaveBeenCalledTimes(2);
    expect(reasons).toEqual(['first', ...Array.from({ length: 99 }, () => 'second')]);
    expectNothingLeft();
  });

  it('goes on from one to the next as long as they fail for reasons of their own', async () => {
    const { begun, work } = works();
    const all = Promise.allSettled(Array.from({ length: 5 }, () => flight.run('key', work)));
    for (let at = 0; at < 4; at++) {
      begun[at]!.reject(new Own());
      await turn();
    }
    begun[4]!.resolve('done');
    expect((await all).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected', 'rejected', 'fulfilled']);
    expectNothingLeft();
  });

  it('lets who waits go away, alone', async () => {
    const { begun, work } = works();
    const { asker, leave } = leaver();
    const leader = flight.run('key', work);
    const gone = flight.run('key', work, asker);
    const stays = flight.run('key', work);
    leave();
    await expect(gone).rejects.toThrow(Gone);
    expect(flight.waiting).toBe(1);
    begun[0]!.reject(new Own());
    await expect(leader).rejects.toThrow(Own);
    await turn();
    begun[1]!.resolve('done');
    expect(await stays).toEqual({ value: 'done', shared: false });
    expect(work).toHaveBeenCalledTimes(2);
    expectNothingLeft();
  });

  it('begins anew after all have gone', async () => {
    const { begun, work } = works();
    const leader = flight.run('key', work);
    begun[0]!.reject(new Own());
    await expect(leader).rejects.toThrow(Own);
    expectNothingLeft();
    const next = flight.run('key', work);
    begun[1]!.resolve('done');
    expect(await next).toEqual({ value: 'done', shared: false });
  });

  it('keeps the time of everybody who waits', async () => {
    const { begun, work } = works();
    const leader = flight.run('key', work);
    const hasty = flight.run('key', work, { expiresAt: performance.now() + 20 });
    const patient = flight.run('key', work, { expiresAt: performance.now() + 60_000 });
    await expect(hasty).rejects.toThrow(Expired);
    expect(flight.waiting).toBe(1);
    begun[0]!.resolve('done');
    expect((await Promise.all([leader, patient])).map(({ shared }) => shared)).toEqual([false, true]);
    expectNothingLeft();
  });

  it('does not hand over to who has gone or waited for too long', async () => {
    const { begun, work } = works();
    const { asker, leave } = leaver();
    const ends = Promise.allSettled([flight.run('key', work), flight.run('key', work, asker), flight.run('key', work, { expiresAt: 0 })]);
    leave();
    begun[0]!.reject(new Own());
    const reasons = (await ends).map((end) => (end as PromiseRejectedResult).reason.constructor);
    expect(reasons).toEqual([Own, Gone, Expired]);
    expect(work).toHaveBeenCalledTimes(1);
    expectNothingLeft();
  });

  it('keeps nothing of thousands that come and go', async () => {
    for (let at = 0; at < 2000; at++) {
      const work = async (): Promise<string> => {
        await turn();
        if (at % 3 === 0) throw new Own();
        return 'done';
      };
      await Promise.allSettled([flight.run(`key ${at % 7}`, work), flight.run(`key ${at % 7}`, work, { expiresAt: 0 })]);
    }
    expectNothingLeft();
  });
});
