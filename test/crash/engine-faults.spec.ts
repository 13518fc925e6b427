import { Logger } from '@nestjs/common';
import { type Fault, FAULTS, FaultyRoom } from '../engine/faults';

jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});

const TIMES = 5;

describe(`a model that harms its engine host, ${TIMES} times in each way`, () => {
  const room = new FaultyRoom();
  afterAll(() => room.remove());

  it.each(Object.keys(FAULTS) as readonly Fault[])(
    '%s: no other model notices, and the model itself answers again within 2 s',
    async (fault) => {
      const report = await room.suffer(fault, TIMES);
      expect(report).toMatchObject({ othersFailed: 0 });
      expect(report.others).toBeGreaterThan(TIMES);
      expect(report.readyMs).toBeLessThan(2000);
    },
    60_000,
  );
});
