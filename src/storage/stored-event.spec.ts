import { createHash } from 'node:crypto';
import { type EventFields, LOG_START, type LogPosition } from './event-log.port';
import { LogDamaged } from './storage.errors';
import { openEvent, sealEvent } from './stored-event';

const NOON = new Date('2026-03-01T12:00:00.000Z');
const FIELDS: EventFields = { kind: 'test.happened', actor: 'tester', correlationId: 'c-1' };

const reopen = (after: LogPosition, change: (event: Record<string, unknown>) => unknown): unknown => {
  const event = JSON.parse(sealEvent(after, FIELDS, NOON).bytes.toString()) as Record<string, unknown>;
  return openEvent(after, Buffer.from(JSON.stringify(change(event))));
};

describe(sealEvent.name, () => {
  it('makes the next event, chained to the position before it', () => {
    const after = { seq: 7, hash: 'ab'.repeat(32), at: '2026-03-01T11:00:00.000Z' };
    const { entry } = sealEvent(after, FIELDS, NOON);
    expect(entry.event).toEqual({ ...FIELDS, seq: 8, previous: after.hash, at: '2026-03-01T12:00:00.000Z' });
  });

  it('makes a position of number, time and hash of the stored bytes', () => {
    const { bytes, entry } = sealEvent(LOG_START, FIELDS, NOON);
    const hash = createHash('sha256').update(bytes).digest('hex');
    expect(entry.position).toEqual({ seq: 1, hash, at: '2026-03-01T12:00:00.000Z' });
  });

  it('writes the members in canonical order without blanks, however they were given', () => {
    const fields = { zebra: 1, kind: 'k', ä: 'ü', inner: { b: 2, a: [1e21, 0.1, -0] }, correlationId: 'c', actor: 'a' };
    expect(sealEvent(LOG_START, fields, NOON).bytes.toString()).toBe(
      `{"actor":"a","at":"2026-03-01T12:00:00.000Z","correlationId":"c","inner":{"a":[1e+21,0.1,0],"b":2},"kind":"k",` +
        `"previous":"${'0'.repeat(64)}","seq":1,"zebra":1,"ä":"ü"}`,
    );
  });

  it('makes the same bytes of the same event, in whatever order its members come', () => {
    const turned = Object.fromEntries(Object.entries(FIELDS).reverse()) as EventFields;
    expect(sealEvent(LOG_START, turned, NOON)).toEqual(sealEvent(LOG_START, FIELDS, NOON));
  });

  it('gives an event the time of the one before it when the clock was put back', () => {
    const after = { seq: 1, hash: 'ab'.repeat(32), at: '2026-03-01T12:00:00.001Z' };
    const { entry } = sealEvent(after, FIELDS, NOON);
    expect([entry.event.at, entry.position.at]).toEqual([after.at, after.at]);
  });

  it.each([
    ['a number that is none', Number.NaN],
    ['an infinite number', Number.POSITIVE_INFINITY],
    ['half a character', '\uD83D'],
  ])('refuses %s: it would not come back as it went', (_what, member) => {
    expect(() => sealEvent(LOG_START, { ...FIELDS, member }, NOON)).toThrow('not allowed');
  });
});

describe(openEvent.name, () => {
  it('gives back what was sealed, event after event', () => {
    const first = sealEvent(LOG_START, { ...FIELDS, member: { deep: ['grüße', null, 1.5] } }, NOON);
    const second = sealEvent(first.entry.position, FIELDS, NOON);
    expect(openEvent(LOG_START, first.bytes)).toEqual(first.entry);
    expect(openEvent(first.entry.position, second.bytes)).toEqual(second.entry);
  });

  it('takes the hash of the bytes as they are stored, not as they would be written today', () => {
    const { bytes } = sealEvent(LOG_START, FIELDS, NOON);
    const spaced = Buffer.from(bytes.toString().replace(':', ': '));
    expect(openEvent(LOG_START, spaced).position.hash).toBe(createHash('sha256').update(spaced).digest('hex'));
  });

  it('takes an event of the same millisecond', () => {
    const first = sealEvent(LOG_START, FIELDS, NOON).entry.position;
    const second = sealEvent(first, FIELDS, NOON);
    expect(openEvent(first, second.bytes).event.at).toBe(first.at);
  });

  it.each([
    ['no bytes', ''],
    ['half an event', '{"kind":"test.happened","seq":'],
    ['no JSON', 'kind: test.happened'],
  ])('refuses %s', (_what, bytes) => {
    const opening = () => openEvent(LOG_START, Buffer.from(bytes));
    expect(opening).toThrow(LogDamaged);
    expect(opening).toThrow('Event 1 of the log cannot be trusted: it is no JSON');
    expect(opening).toThrow(expect.objectContaining({ cause: expect.objectContaining({ name: 'SyntaxError' }) }));
  });

  it.each([
    ['null', null],
    ['a number', 1],
    ['a text', 'kind'],
    ['a list', [{ kind: 'test.happened' }]],
    ['an object without a kind', { seq: 1 }],
  ])('refuses %s in the place of an event', (_what, value) => {
    const opening = () => openEvent(LOG_START, Buffer.from(JSON.stringify(value)));
    expect(opening).toThrow(LogDamaged);
    expect(opening).toThrow('Event 1 of the log cannot be trusted: it is no event');
  });

  it.each([
    ['of another number', { seq: 3 }, 'it says that it is event 3'],
    ['whose number is a text', { seq: '1' }, 'it says that it is event 1'],
    ['without a number', { seq: undefined }, 'it says that it is event undefined'],
    ['chained to other bytes', { previous: 'ab'.repeat(32) }, 'it is not chained to the event before it'],
    ['without a chain', { previous: undefined }, 'it is not chained to the event before it'],
    ['from before the event before it', { at: '1969-12-31T23:59:59.999Z' }, 'its time 1969-12-31T23:59:59.999Z lies before'],
    ['without a time', { at: undefined }, 'its time undefined lies before'],
    ['whose time is a number', { at: 1_772_366_400_000 }, 'its time 1772366400000 lies before'],
  ])('refuses an event %s', (_what, change, reason) => {
    const opening = () => reopen(LOG_START, (event) => ({ ...event, ...change }));
    expect(opening).toThrow(LogDamaged);
    expect(opening).toThrow(`Event 1 of the log cannot be trusted: ${reason}`);
  });

  it('names the number of the place, whatever the event says of itself', () => {
    const after = { seq: 41, hash: 'ab'.repeat(32), at: LOG_START.at };
    expect(() => reopen(after, (event) => ({ ...event, seq: 7 }))).toThrow(
      'Event 42 of the log cannot be trusted: it says that it is event 7',
    );
  });
});
