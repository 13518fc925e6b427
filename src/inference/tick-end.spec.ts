import { AsyncLocalStorage } from 'node:async_hooks';
import { TickEnd } from './tick-end';

const turn = (): Promise<void> => new Promise(setImmediate);

describe(TickEnd, () => {
  it('tells nothing before the end of the turn, and then all of it in the order in which it came', async () => {
    const tickEnd = new TickEnd();
    const told: number[] = [];
    for (const value of [1, 2, 3]) void tickEnd.tell(value).then((heard) => told.push(heard));
    await Promise.resolve();
    expect(told).toEqual([]);
    await turn();
    expect(told).toEqual([1, 2, 3]);
    void tickEnd.tell(4).then((heard) => told.push(heard));
    await turn();
    expect(told).toEqual([1, 2, 3, 4]);
  });

  it('tells each in its own context, and does so in none', async () => {
    const tickEnd = new TickEnd();
    const context = new AsyncLocalStorage<string>();
    const whileTold: unknown[] = [];
    const watched = (): { readonly then: undefined } => ({
      // a promise looks for it where it is resolved
      // oxlint-disable-next-line unicorn/no-thenable
      get then() {
        whileTold.push(context.getStore());
        return undefined;
      },
    });
    const heardIn = ['a', 'b'].map((id) => context.run(id, () => tickEnd.tell(watched()).then(() => context.getStore())));
    expect(await Promise.all(heardIn)).toEqual(['a', 'b']);
    expect(whileTold).toEqual([undefined, undefined]);
  });
});
