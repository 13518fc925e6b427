import { Logger } from '@nestjs/common';
import { type EventFields, type LogEntry, LOG_START, type LogPosition } from '../storage/event-log.port';
import { MemoryEventLog } from '../storage/memory-event.log';
import { AuditTrail } from './audit-trail';
import { AuditWriter } from './audit-writer';

const MINUTE = 60_000;
const REFUSAL = { address: '10.0.0.1', code: 'UNAUTHENTICATED', correlationId: 'c' };

async function eventsOf(log: MemoryEventLog): Promise<readonly Record<string, unknown>[]> {
  const events: Record<string, unknown>[] = [];
  for await (const { event } of log.read(LOG_START)) events.push(event);
  return events;
}

describe(AuditTrail, () => {
  let log: MemoryEventLog;
  let trail: AuditTrail;
  beforeEach(() => {
    Logger.overrideLogger(false);
    jest.useFakeTimers();
    log = new MemoryEventLog();
    trail = new AuditTrail(log);
  });
  afterEach(() => jest.useRealTimers());

  it('writes the first refusal at once, and then at most one event a minute', async () => {
    for (let second = 0; second < 180; second++) {
      trail.refused(REFUSAL);
      await jest.advanceTimersByTimeAsync(1000);
    }
    await trail.beforeApplicationShutdown();
    const events = await eventsOf(log);
    expect(events.map(({ total }) => total)).toEqual([1, 59, 60, 60]);
    const times = events.map(({ at }) => Date.parse(String(at)));
    expect((times[1] as number) - (times[0] as number)).toBeGreaterThanOrEqual(MINUTE);
  });

  it('sums up by address, key and code, and keeps the last correlation id', async () => {
    trail.refused(REFUSAL);
    trail.refused({ ...REFUSAL, correlationId: 'last' });
    trail.refused({ ...REFUSAL, keyId: 'abcdefgh' });
    trail.refused({ ...REFUSAL, address: '10.0.0.2' });
    trail.refused({ ...REFUSAL, code: 'FORBIDDEN' });
    await trail.beforeApplicationShutdown();
    const [event] = await eventsOf(log);
    expect(event).toMatchObject({ kind: 'auth.refused', total: 5, others: 0 });
    expect(event?.['failures']).toEqual([
      { ...REFUSAL, count: 2, correlationId: 'last' },
      { ...REFUSAL, keyId: 'abcdefgh', count: 1 },
      { ...REFUSAL, address: '10.0.0.2', count: 1 },
      { ...REFUSAL, code: 'FORBIDDEN', count: 1 },
    ]);
  });

  it('names a bounded number of callers, and counts the others', async () => {
    for (let at = 0; at < 1000; at++) trail.refused({ ...REFUSAL, address: `10.0.${at >> 8}.${at & 255}` });
    await trail.beforeApplicationShutdown();
    const [event, ...more] = await eventsOf(log);
    expect(more).toEqual([]);
    expect(event).toMatchObject({ total: 1000, others: 900 });
    expect(event?.['failures']).toHaveLength(100);
  });

  it('goes on where the disk refuses an event', async () => {
    const refused = jest.spyOn(log, 'append').mockRejectedValueOnce(new Error('the disk is full'));
    trail.refused(REFUSAL);
    await jest.advanceTimersByTimeAsync(0);
    expect(refused).toHaveBeenCalledTimes(1);
    trail.refused(REFUSAL);
    await jest.advanceTimersByTimeAsync(MINUTE);
    expect(await eventsOf(log)).toHaveLength(1);
  });

  it('writes nothing where nobody was refused', async () => {
    await jest.advanceTimersByTimeAsync(10 * MINUTE);
    await trail.beforeApplicationShutdown();
    expect(await eventsOf(log)).toEqual([]);
  });
});

describe(AuditWriter, () => {
  const EVENT: EventFields = { kind: 'key.created', actor: 'cli:ada', correlationId: 'c' };

  it('writes behind whatever another writer has written', async () => {
    const log = new MemoryEventLog();
    const writers = [new AuditWriter(log), new AuditWriter(log), new AuditWriter(log)];
    await Promise.all(Array.from({ length: 30 }, (_, at) => (writers[at % 3] as AuditWriter).append({ ...EVENT, number: at })));
    expect(await eventsOf(log)).toHaveLength(30);
  });

  it('reads on from a checkpoint, not from the beginning', async () => {
    class CountingLog extends MemoryEventLog {
      readonly starts: number[] = [];
      override read(after: LogPosition): AsyncIterable<LogEntry> {
        this.starts.push(after.seq);
        return super.read(after);
      }
    }
    const log = new CountingLog();
    const writer = new AuditWriter(log);
    for (let at = 0; at < 510; at++) await writer.append(EVENT);
    log.starts.length = 0;
    await new AuditWriter(log).append(EVENT);
    expect(log.starts).toEqual([500]);
  });
});
