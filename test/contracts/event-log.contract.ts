import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import canonicalize from 'canonicalize';
import {
  type Checkpoint,
  type EventFields,
  type EventLog,
  LOG_START,
  type LogEntry,
  type LogPosition,
} from '../../src/storage/event-log.port';
import { EventConflict, LogDamaged } from '../../src/storage/storage.errors';

/** Two handles on one empty log, as two processes have them. */
export type TwoHandles = readonly [EventLog, EventLog];

const EVERYTHING_BUT_DATE = [
  'hrtime',
  'nextTick',
  'performance',
  'queueMicrotask',
  'setImmediate',
  'clearImmediate',
  'setInterval',
  'clearInterval',
  'setTimeout',
  'clearTimeout',
] as const;

const fields = (member: unknown): EventFields => ({ kind: 'test.happened', actor: 'tester', correlationId: 'c-1', member });

/** What every EventLog owes its callers. An adapter's spec is one line: `eventLogContract(() => twoHandlesOnOneEmptyLog())`. */
export function eventLogContract(makeHandles: () => Promise<TwoHandles> | TwoHandles): void {
  let log: EventLog;
  let other: EventLog;

  const read = (from: LogPosition = LOG_START, handle = log): Promise<LogEntry[]> => Readable.from(handle.read(from)).toArray();
  const appendMany = async (count: number): Promise<LogEntry[]> => {
    const entries: LogEntry[] = [];
    for (let n = 1; n <= count; n++) entries.push(await log.append(entries.at(-1)?.position ?? LOG_START, fields(n)));
    return entries;
  };

  beforeEach(async () => {
    [log, other] = await makeHandles();
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  it('has no events before the first', async () => {
    expect(await read()).toEqual([]);
  });

  it('gives each event by its number, to every handle, and says where there is none', async () => {
    const entries = await appendMany(3);
    for (const { event } of entries) {
      expect(await log.event(event.seq)).toEqual(event);
      expect(await other.event(event.seq)).toEqual(event);
    }
    for (const seq of [0, 4]) await expect(log.event(seq)).rejects.toBeInstanceOf(LogDamaged);
  });

  it('numbers events from 1 on', async () => {
    const entries = await appendMany(3);
    expect(entries.map(({ event }) => event.seq)).toEqual([1, 2, 3]);
    expect(entries.map(({ position }) => position.seq)).toEqual([1, 2, 3]);
  });

  it('chains each event to the SHA-256 of the canonical bytes of the one before it', async () => {
    const entries = await appendMany(3);
    const hashes = entries.map(({ event }) =>
      createHash('sha256')
        .update(canonicalize(event) as string)
        .digest('hex'),
    );
    expect(entries.map(({ position }) => position.hash)).toEqual(hashes);
    expect(entries.map(({ event }) => event.previous)).toEqual(['0'.repeat(64), hashes[0], hashes[1]]);
  });

  it('reads back what was appended, by every handle', async () => {
    const entries = await appendMany(3);
    expect(await read()).toEqual(entries);
    expect(await read(LOG_START, other)).toEqual(entries);
  });

  it('keeps every member, whatever JSON it holds', async () => {
    const member = { z: [1, -0.5, 1e21, null, true], a: { nested: 'grüße \u2028 🙂 "quoted"\n' }, '': '' };
    await log.append(LOG_START, fields(member));
    expect((await read())[0]?.event).toMatchObject(fields(member));
  });

  it('lets no writer say number, chain or time', async () => {
    const now = Date.parse('2026-03-01T12:00:00.000Z');
    jest.useFakeTimers({ now, doNotFake: [...EVERYTHING_BUT_DATE] });
    await log.append(LOG_START, { ...fields(1), seq: 99, previous: 'f'.repeat(64), at: '1999-01-01T00:00:00.000Z' });
    expect((await read())[0]?.event).toMatchObject({ seq: 1, previous: LOG_START.hash, at: '2026-03-01T12:00:00.000Z' });
  });

  it('refuses a number that is taken with EventConflict, and keeps the event that has it', async () => {
    const kept = await log.append(LOG_START, fields('first'));
    await expect(other.append(LOG_START, fields('second'))).rejects.toBeInstanceOf(EventConflict);
    expect(await read()).toEqual([kept]);
  });

  it('refuses to write behind its end', async () => {
    const entries = await appendMany(3);
    await expect(log.append(entries[0]!.position, fields('late'))).rejects.toBeInstanceOf(EventConflict);
    expect(await read()).toEqual(entries);
  });

  it('lets the loser of a race read on from where it stood and append', async () => {
    const won = await log.append(LOG_START, fields('winner'));
    await expect(other.append(LOG_START, fields('loser'))).rejects.toBeInstanceOf(EventConflict);
    const news = await read(LOG_START, other);
    const second = await other.append(news.at(-1)!.position, fields('loser'));
    expect(await read()).toEqual([won, second]);
  });

  it('reads on from the middle', async () => {
    const entries = await appendMany(4);
    expect(await read(entries[1]!.position)).toEqual(entries.slice(2));
  });

  it('reads nothing from its end on', async () => {
    const entries = await appendMany(2);
    expect(await read(entries[1]!.position)).toEqual([]);
  });

  it('refuses to read on from a position of another history', async () => {
    const entries = await appendMany(2);
    await expect(read({ ...entries[0]!.position, hash: 'a'.repeat(64) })).rejects.toBeInstanceOf(LogDamaged);
  });

  it('never goes back in time, though the clock does', async () => {
    jest.useFakeTimers({ now: Date.parse('2026-03-01T12:00:00.000Z'), doNotFake: [...EVERYTHING_BUT_DATE] });
    const noon = await log.append(LOG_START, fields('noon'));
    jest.setSystemTime(Date.parse('2026-03-01T11:00:00.000Z'));
    const back = await log.append(noon.position, fields('the clock was put back'));
    jest.setSystemTime(Date.parse('2026-03-01T12:00:00.001Z'));
    const on = await log.append(back.position, fields('the clock caught up'));
    const times = ['2026-03-01T12:00:00.000Z', '2026-03-01T12:00:00.000Z', '2026-03-01T12:00:00.001Z'];
    expect([noon, back, on].map(({ event }) => event.at)).toEqual(times);
    expect([noon, back, on].map(({ position }) => position.at)).toEqual(times);
    expect(await read()).toEqual([noon, back, on]);
  });

  it('lets exactly one of twenty concurrent writers have a number', async () => {
    const start = (await appendMany(1))[0]!;
    const attempts = Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? log : other).append(start.position, fields(`writer ${n}`)));
    const outcomes = await Promise.allSettled(attempts);
    const won = outcomes.filter((outcome) => outcome.status === 'fulfilled').map(({ value }) => value);
    const lost = outcomes.filter((outcome) => outcome.status === 'rejected').map(({ reason }) => reason as unknown);
    expect(won).toHaveLength(1);
    expect(lost).toHaveLength(19);
    expect(lost.every((reason) => reason instanceof EventConflict)).toBe(true);
    expect(await read()).toEqual([start, won[0]]);
  });

  it('gives two writers who decide again after every lost race all their events, and each number once', async () => {
    const appendStubbornly = async (handle: EventLog, name: string): Promise<void> => {
      let position: LogPosition = LOG_START;
      for (let n = 1; n <= 15;) {
        try {
          position = (await handle.append(position, fields(`${name} ${n}`))).position;
          n++;
        } catch (error) {
          if (!(error instanceof EventConflict)) throw error;
          for await (const entry of handle.read(position)) position = entry.position;
        }
      }
    };
    await Promise.all([appendStubbornly(log, 'a'), appendStubbornly(other, 'b')]);
    const entries = await read();
    expect(entries.map(({ event }) => event.seq)).toEqual(Array.from({ length: 30 }, (_, n) => n + 1));
    for (const name of ['a', 'b']) {
      const own = entries.map(({ event }) => event.member as string).filter((member) => member.startsWith(name));
      expect(own).toEqual(Array.from({ length: 15 }, (_, n) => `${name} ${n + 1}`));
    }
  });

  it('shows a reader beside a writer whole events, in order and without a gap', async () => {
    const state = { writing: true };
    const writer = appendMany(30).finally(() => (state.writing = false));
    const readings: number[][] = [];
    while (state.writing) readings.push((await read(LOG_START, other)).map(({ event }) => event.seq));
    await writer;
    readings.push((await read(LOG_START, other)).map(({ event }) => event.seq));
    for (const seqs of readings) expect(seqs).toEqual(seqs.map((_, n) => n + 1));
    expect(readings.at(-1)).toHaveLength(30);
  });

  it('is not uncertain while the disk confirms, and then has nothing to settle', async () => {
    const entries = await appendMany(1);
    expect(log.uncertain).toBe(false);
    await log.settle();
    expect(await read()).toEqual(entries);
  });

  describe('checkpoints', () => {
    const STATE = {
      lineage: 'line-1',
      condemned: [['a'.repeat(64), 2]],
      models: [{ name: 'grüße \u2028 🙂', production: null, versions: [] }],
    };
    const save = async ({ position }: LogEntry, state: unknown = STATE, handle = log): Promise<Checkpoint> => {
      await handle.saveCheckpoint({ position, state });
      return { position, state };
    };

    it('are none before the first', async () => {
      expect(await log.newestCheckpoint()).toBeUndefined();
      await appendMany(2);
      expect(await log.newestCheckpoint()).toBeUndefined();
    });

    it('are given back as they were, to every handle, and change nothing of the events', async () => {
      const entries = await appendMany(3);
      const saved = await save(entries[1]!);
      expect(await log.newestCheckpoint()).toEqual(saved);
      expect(await other.newestCheckpoint()).toEqual(saved);
      expect(await read()).toEqual(entries);
    });

    it('are the newest first, in whatever order they were saved', async () => {
      const entries = await appendMany(4);
      await save(entries[1]!, { at: 2 });
      const newest = await save(entries[3]!, { at: 4 });
      expect(await log.newestCheckpoint()).toEqual(newest);
      await save(entries[2]!, { at: 3 }, other); // a process that is behind
      expect(await log.newestCheckpoint()).toEqual(newest);
    });

    it('may be saved again, by this process and by others at once', async () => {
      const entries = await appendMany(2);
      await Promise.all([log, other, log, other].map((handle) => save(entries[1]!, STATE, handle)));
      expect(await log.newestCheckpoint()).toEqual({ position: entries[1]!.position, state: STATE });
    });

    it.each<[string, (position: LogPosition) => LogPosition]>([
      ['of another history', (position) => ({ ...position, hash: 'f'.repeat(64) })],
      ['of an event that is not there yet', (position) => ({ ...position, seq: position.seq + 1 })],
      ['of an event far away', (position) => ({ ...position, seq: 1_000_000 })],
      ['of the hash of another event', (position) => ({ ...position, seq: position.seq - 1 })],
      ['of no event', () => LOG_START],
    ])('are passed over that are %s', async (_what, change) => {
      const entries = await appendMany(3);
      const changed = { event: entries[2]!.event, position: change(entries[2]!.position) };
      await save(changed, { bad: true });
      expect(await log.newestCheckpoint()).toBeUndefined();
      const good = await save(entries[0]!, { good: true });
      await save(changed, { bad: true });
      expect(await log.newestCheckpoint()).toEqual(good);
    });

    it('keep what they were when they were saved, whatever becomes of the state, before and after', async () => {
      const [entry] = await appendMany(1);
      const state = { models: ['iris'] };
      await save(entry!, state);
      state.models.push('price');
      expect((await log.newestCheckpoint())?.state).toEqual({ models: ['iris'] });
      const given = (await log.newestCheckpoint()) as { state: typeof state };
      given.state.models.push('spam');
      expect((await log.newestCheckpoint())?.state).toEqual({ models: ['iris'] });
    });
  });
}
