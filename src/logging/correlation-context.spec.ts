import { EventEmitter } from 'node:events';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { CorrelationContext } from './correlation-context';

/** The id that the code around it can see. */
function seen(): string | undefined {
  return CorrelationContext.current?.correlationId;
}

describe('CorrelationContext', () => {
  it('names no work outside of any', () => {
    expect(CorrelationContext.current).toBeUndefined();
  });

  it('gives what the work gives, and names it while it is done', () => {
    const correlation = { correlationId: 'order-4711', traceId: '4bf92f3577b34da6a3ce929d0e0e4736' };
    expect(CorrelationContext.run(correlation, () => CorrelationContext.current)).toEqual(correlation);
    expect(CorrelationContext.current).toBeUndefined();
  });

  it.each([
    ['a promise', () => Promise.resolve()],
    ['a turn of the event loop', () => turn()],
    ['a timer', () => sleep(1)],
    ['the next tick', () => new Promise<void>((resolve) => process.nextTick(resolve))],
    ['a failure', () => Promise.reject(new Error('expected')).catch(() => {})],
  ])('is seen after %s', async (_, wait) => {
    const after = await CorrelationContext.run({ correlationId: 'order-4711' }, async () => {
      await wait();
      return seen();
    });
    expect(after).toBe('order-4711');
    expect(seen()).toBeUndefined();
  });

  it('keeps apart what is done at the same time', async () => {
    const ids = Array.from({ length: 100 }, (_, at) => `request-${at}`);
    const work = async () => {
      const trail: (string | undefined)[] = [];
      for (let step = 0; step < 5; step++) {
        await (step % 2 === 0 ? turn() : Promise.resolve());
        trail.push(seen());
      }
      return trail;
    };
    const trails = await Promise.all(ids.map((correlationId) => CorrelationContext.run({ correlationId }, work)));
    expect(trails).toEqual(ids.map((id) => Array.from({ length: 5 }, () => id)));
  });

  it('gives way to work inside of work, and comes back', async () => {
    const trail = await CorrelationContext.run({ correlationId: 'outer-id' }, async () => {
      const inner = await CorrelationContext.run({ correlationId: 'inner-id' }, async () => {
        await turn();
        return seen();
      });
      return [inner, seen()];
    });
    expect(trail).toEqual(['inner-id', 'outer-id']);
  });

  it('leaves nothing behind when the work throws', () => {
    const work = () => {
      throw new Error('expected');
    };
    expect(() => CorrelationContext.run({ correlationId: 'order-4711' }, work)).toThrow('expected');
    expect(seen()).toBeUndefined();
  });

  it('is that of whoever emits, not of whoever listens', () => {
    const emitter = new EventEmitter();
    const ids: (string | undefined)[] = [];
    CorrelationContext.run({ correlationId: 'listener-id' }, () => emitter.on('event', () => ids.push(seen())));
    CorrelationContext.run({ correlationId: 'emitter-id' }, () => emitter.emit('event'));
    expect(ids).toEqual(['emitter-id']);
  });
});
