import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { CORRELATION_HEADER, openRecord, recordOf, type RequestRecord } from './request-record';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** A request as Node makes it, with these headers, their names in lower case. */
function request(headers: IncomingMessage['headers'] = {}): IncomingMessage {
  return Object.assign(new IncomingMessage(new Socket()), { headers });
}

function opened(headers: IncomingMessage['headers']): RequestRecord {
  return openRecord(request(headers));
}

describe(openRecord, () => {
  it('is asked for by the header that answers it', () => {
    expect(opened({ [CORRELATION_HEADER.toLowerCase()]: 'order-4711' }).correlationId).toBe('order-4711');
  });

  it.each(['12345678', 'order-4711', 'A.b_C-d.9', '0b5a4f0e-6b57-4c5e-9d0c-1f2f5c8f3f11', 'x'.repeat(64), '________'])(
    'takes the id %s that came with the request',
    (id) => {
      expect(opened({ 'x-correlation-id': id }).correlationId).toBe(id);
    },
  );

  it.each([
    ['too short', '1234567'],
    ['too long', 'x'.repeat(65)],
    ['a megabyte', 'x'.repeat(2 ** 20)],
    ['empty', ''],
    ['with a space', 'order 4711'],
    ['with a space at its end', 'order-4711 '],
    ['with a line break', 'order-4711\nlevel=fatal'],
    ['with a line break at its end', 'order-4711\n'],
    ['with a carriage return', 'order-4711\r\nSet-Cookie: a=b'],
    ['that colours a terminal', '\u001B[31morder-4711'],
    ['that breaks JSON', '","level":"fatal'],
    ['with a NUL', 'order\0-4711'],
    ['with a line separator', 'order\u20284711'],
    ['with an umlaut', 'aufträge'],
    ['with a duck', 'duck🦆duck'],
    ['in markup', '<script>1</script>'],
    ['with a path', '../../../etc'],
    ['with a percent sign', 'order%0a4711'],
    ['that came twice', 'order-4711, order-4712'],
  ])('makes an id of its own instead of one %s', (_, id) => {
    expect(opened({ 'x-correlation-id': id }).correlationId).toMatch(UUID);
  });

  it('makes an id of its own instead of a list', () => {
    expect(opened({ 'x-correlation-id': ['order-4711', 'order-4712'] }).correlationId).toMatch(UUID);
  });

  it('makes another id for each request that brought none', () => {
    const ids = Array.from({ length: 100 }, () => opened({}).correlationId);
    expect(new Set(ids).size).toBe(100);
    for (const id of ids) expect(id).toMatch(UUID);
  });

  it('starts the clock', () => {
    const before = performance.now();
    const { startedAt } = opened({});
    expect(startedAt).toBeGreaterThanOrEqual(before);
    expect(startedAt).toBeLessThanOrEqual(performance.now());
  });

  it('knows nothing else yet', () => {
    expect(opened({ 'x-correlation-id': 'order-4711' })).toEqual({ correlationId: 'order-4711', startedAt: expect.any(Number) });
  });

  describe('of a traceparent', () => {
    const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
    const PARENT = '00f067aa0ba902b7';
    const SPAN = /^(?!0{16})[0-9a-f]{16}$/;

    /** A trace of our own, begun as what came is none. */
    function expectAnother(traceparent: string): void {
      const record = opened({ traceparent });
      expect(record.traceId).toMatch(/^(?!0{32})[0-9a-f]{32}$/);
      expect(record.traceId).not.toBe(TRACE);
      expect(record.spanId).toMatch(SPAN);
      expect(record).not.toHaveProperty('parentSpanId');
    }

    it.each([`00-${TRACE}-${PARENT}-01`, `00-${TRACE}-${PARENT}-00`, `00-${TRACE}-${PARENT}-ff`, `01-${TRACE}-${PARENT}-01-later`])(
      'takes the trace id and the caller’s span of %s, and begins a span of its own',
      (traceparent) => {
        const record = opened({ traceparent });
        expect(record).toMatchObject({ traceId: TRACE, parentSpanId: PARENT, spanId: expect.stringMatching(SPAN) });
        expect(record.spanId).not.toBe(PARENT);
      },
    );

    it.each([
      ['is empty', ''],
      ['is no traceparent', 'undefined'],
      ['has an empty trace id', `00-${'0'.repeat(32)}-${PARENT}-01`],
      ['has an empty parent id', `00-${TRACE}-${'0'.repeat(16)}-01`],
      ['is in capitals', `00-${TRACE.toUpperCase()}-${PARENT}-01`],
      ['has a short trace id', `00-${TRACE.slice(1)}-${PARENT}-01`],
      ['has a long trace id', `00-${TRACE}0-${PARENT}-01`],
      ['has a short parent id', `00-${TRACE}-${PARENT.slice(1)}-01`],
      ['has no flags', `00-${TRACE}-${PARENT}`],
      ['has long flags', `00-${TRACE}-${PARENT}-011`],
      ['has no version', `${TRACE}-${PARENT}-01`],
      ['has no digits of base 16', `00-${TRACE.replace('4', 'g')}-${PARENT}-01`],
      ['has white space around it', ` 00-${TRACE}-${PARENT}-01`],
      ['has a line break at its end', `00-${TRACE}-${PARENT}-01\n`],
      ['came twice', `00-${TRACE}-${PARENT}-01, 00-${TRACE}-${PARENT}-01`],
    ])('begins another trace instead of one that %s', (_, traceparent) => expectAnother(traceparent));

    // https://www.w3.org/TR/trace-context/#version: "Version ff is invalid"
    it('takes nothing from one of version ff', () => {
      expectAnother(`ff-${TRACE}-${PARENT}-01`);
    });

    // https://www.w3.org/TR/trace-context/#versioning-of-traceparent: only a later version may have more after the flags
    it('takes nothing from one of version 00 that has more than it may', () => {
      expectAnother(`00-${TRACE}-${PARENT}-01-more`);
    });

    it('begins another span for each request of a trace', () => {
      const spans = Array.from({ length: 100 }, () => opened({ traceparent: `00-${TRACE}-${PARENT}-01` }).spanId);
      expect(new Set(spans).size).toBe(100);
    });

    it('begins no trace for a request that brought none', () => {
      expect(Object.keys(opened({}))).toEqual(['correlationId', 'startedAt']);
    });
  });
});

describe(recordOf, () => {
  it('is the one that was opened, and stays it', () => {
    const seen = request({ 'x-correlation-id': 'order-4711' });
    const record = openRecord(seen);
    record.route = '/api/v1/models';
    expect(recordOf(seen)).toBe(record);
    expect(recordOf(seen)).toMatchObject({ correlationId: 'order-4711', route: '/api/v1/models' });
  });

  it('is opened where nobody has done so, once', () => {
    const unseen = request({ 'x-correlation-id': 'order-4711' });
    expect(recordOf(unseen).correlationId).toBe('order-4711');
    expect(recordOf(unseen)).toBe(recordOf(unseen));
  });

  it('belongs to one request', () => {
    expect(recordOf(request())).not.toBe(recordOf(request()));
  });
});
