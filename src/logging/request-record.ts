import { randomBytes, randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Correlation } from './correlation-context';

/** What is known of one request, from its first byte to its last: the log line, the figures, the error body and the headers are made of it. */
export interface RequestRecord extends Correlation {
  /** The caller's own span, 16 hex digits: where a trace of its came along that can be read. */
  readonly parentSpanId?: string;
  /** `performance.now()`, milliseconds. */
  readonly startedAt: number;
  /** Template of the route that took it (`/api/v1/models/:model`). */
  route?: string;
  model?: string;
  /** Whose key let it in: its public id and what people call it. Never the key. */
  keyId?: string;
  keyName?: string;
  /** Code of the error that it was answered with. */
  code?: string;
}

/** The header that carries the correlation id, both ways. */
export const CORRELATION_HEADER = 'X-Correlation-Id';

const MAX_NAME = 64;
const ACCEPTED_ID = /^[A-Za-z0-9._-]{8,64}$/;
// https://www.w3.org/TR/trace-context/#version: ff is no version, and version 00 has four fields
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(?:$|(?<!^00.*)-)/;
const RECORD = Symbol('record');

type Recorded = IncomingMessage & { [RECORD]?: RequestRecord };

/** An id for what came without one. */
export function newCorrelationId(): string {
  return randomUUID();
}

/** Starts the record of a request. An id that came with it is taken where it is a plain word of 8 to 64 characters, else one is made. */
export function openRecord(request: IncomingMessage): RequestRecord {
  const offered = request.headers['x-correlation-id'];
  const correlationId = typeof offered === 'string' && ACCEPTED_ID.test(offered) ? offered : newCorrelationId();
  const traceparent = request.headers['traceparent'];
  const startedAt = performance.now();
  const record: RequestRecord =
    traceparent === undefined ? { correlationId, startedAt } : { correlationId, startedAt, ...traceOf(String(traceparent)) };
  (request as Recorded)[RECORD] = record;
  return record;
}

/** What names a request in a log line: all of it, so that nothing of the context in which the line is written stays. */
export function correlationOf({ correlationId, traceId, spanId }: RequestRecord): Correlation {
  return { correlationId, traceId, spanId };
}

/** The record of a request that the first middleware has seen. */
export function recordOf(request: IncomingMessage): RequestRecord {
  return (request as Recorded)[RECORD] ?? openRecord(request);
}

/** The model that the path of a request names, as far as it may be one. */
export function modelOf(request: IncomingMessage): string | undefined {
  const model = (request as { params?: { readonly model?: unknown } }).params?.model;
  return typeof model === 'string' ? model.slice(0, MAX_NAME) : undefined;
}

/** Template of the route that Express matched, as people write it: what it escapes is not. `unmatched` where there is none. */
export function routeOf(request: IncomingMessage): string {
  const { path = 'unmatched' } = (request as { route?: { readonly path?: string } }).route ?? {};
  return path.includes('\\') ? path.replaceAll('\\', '') : path;
}

/** What this service does is a span of its own. A trace that cannot be read is none: another one begins. */
function traceOf(traceparent: string): Pick<RequestRecord, 'traceId' | 'spanId' | 'parentSpanId'> {
  const spanId = randomHex(8);
  const [, traceId, parentSpanId] = TRACEPARENT.exec(traceparent) ?? [];
  return traceId === undefined || parentSpanId === undefined ? { traceId: randomHex(16), spanId } : { traceId, spanId, parentSpanId };
}

function randomHex(bytes: number): string {
  return randomBytes(bytes).toString('hex');
}
