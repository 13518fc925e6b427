import { QualityHouse } from '../../test/quality/quality-house';
import { until } from '../../test/process/processes';
import { InputDrift } from './input-drift';

const MIB = 2 ** 20;

describe(InputDrift, () => {
  let house: QualityHouse;
  const open = (settings = {}): void => void (house = new QualityHouse(settings));
  afterEach(() => house.close());

  const bytes = (): number => house.drift.all().reduce((sum, record) => sum + (house.drift.of(record)?.bytes ?? 0), 0);

  it('takes no more than it says', async () => {
    open();
    const record = house.publish('wide', 1000);
    const before = process.memoryUsage().arrayBuffers;
    house.answer(record, 1);
    await until('the watch is open', () => {
      house.answer(record, 1);
      return Promise.resolve(house.drift.of(record)?.sampled === 1);
    });
    const taken = process.memoryUsage().arrayBuffers - before;
    expect(taken).toBeGreaterThan(1000 * 256 * 8); // else it did not measure anything
    expect(taken).toBeLessThanOrEqual(house.drift.of(record)?.bytes ?? 0);
  });

  it('holds no more than 64 MiB, and forgets who was not called for longest', () => {
    open();
    const records = Array.from({ length: 100 }, (_, at) => house.publish(`m${at}`, 256));
    for (const record of records) house.answer(record, 1);
    expect(bytes()).toBeLessThanOrEqual(64 * MIB);
    expect(bytes()).toBeGreaterThan(60 * MIB);
    expect(house.drift.of(records[0]!)).toBeUndefined();
    expect(house.drift.of(records[99]!)).toBeDefined();
  });

  it('takes nothing for those that had to make room', async () => {
    open();
    const records = Array.from({ length: 100 }, (_, at) => house.publish(`m${at}`, 256));
    for (const record of records) house.answer(record, 1);
    const watch = house.drift.of(records[99]!);
    house.drift.forget(records[99]!);
    await until('others are open', () => {
      house.answer(records[98]!, 1);
      return Promise.resolve(house.drift.of(records[98]!)?.sampled === 1);
    });
    watch?.lookAtRow(Array<number>(256).fill(1));
    expect(watch?.sampled).toBe(0);
  });

  it('watches no more than 1000 versions', () => {
    open({ window: 10, baselineRows: 10 });
    for (let at = 0; at < 1500; at++) house.answer(house.publish(`m${at}`, 1), 1);
    expect(house.drift.all()).toHaveLength(1000);
  });

  it('takes less when it has learned, and makes room for others', async () => {
    open({ window: 10, baselineRows: 1000, drift: 'on' });
    const record = house.publish('line', 10);
    house.answer(record, 1);
    const learning = bytes();
    await until('it has learned', () => {
      house.answer(record, ...Array<number>(16).fill(1));
      return Promise.resolve(house.drift.of(record)?.source === 'learned');
    });
    expect(bytes()).toBeLessThan(learning / 2);
  });

  it('begins no watch over a version that was deleted while it still answers', () => {
    open();
    const record = house.publish('line', 1);
    house.publish('other', 1);
    house.happen({ kind: 'model.deleted', model: 'line' });
    house.answer(record, 1);
    expect(house.drift.all()).toEqual([]);
  });

  it('reads a body again only where somebody does: a call without inputs is not looked at', () => {
    open();
    const record = house.publish('line', 1, { featureNames: ['x'], baseline: { x: { edges: [0], shares: [0.5, 0.5] } } });
    house.answer(record, 1);
    house.calls.listener?.({ target: { record } as never, inputs: [] });
    expect(house.drift.of(record)?.rows).toBe(1);
  });

  it('watches nothing over a version whose baseline names no feature', () => {
    open();
    house.answer(house.publish('line', 1, { featureNames: ['x'], baseline: {} }), 1);
    expect(house.drift.all()).toEqual([]);
  });

  it('is not told of calls any more once it was stopped', () => {
    open();
    house.drift.beforeApplicationShutdown();
    expect(house.calls.listener).toBeUndefined();
  });

  it('believes no baseline that is none', async () => {
    open({ window: 10, baselineRows: 10 });
    const record = house.publish('line', 2);
    const shelf = house.shelfOf(record);
    const bins = { edges: [0], shares: [0.5, 0.5, 0] };
    for (const features of [
      [{ feature: '0', edges: [0], shares: [1] }],
      [{ feature: '0', ...bins }],
      [
        { feature: '1', ...bins },
        { feature: '0', ...bins },
      ],
    ]) {
      // prettier-ignore
      await shelf.write(features);
      house.answer(record, 1);
      await until('the watch is open', () => {
        house.answer(record, 1);
        return Promise.resolve(house.drift.of(record)?.sampled === 1);
      });
      house.drift.forget(record);
    }
    await shelf.write([{ feature: '0', ...bins }, { feature: '1', ...bins }]); // prettier-ignore
    house.answer(record, 1);
    await until('the watch is open', () => Promise.resolve(house.drift.of(record)?.source !== 'learning'));
    expect(house.drift.of(record)?.source).toBe('learned');
  });
});
