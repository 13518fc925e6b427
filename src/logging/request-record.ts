import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** What is known of one request, from its first byte to its last: the log line, the figures, the error body and the headers are made of it. */
export interface RequestRecord {
  readonly correlationId: string;
  /** The trace id of a valid W3C `traceparent`, 32 hex digits. */
  readonly traceId?: string;
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
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:$|(?<!^00.*)-)/;
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
  const traceId = TRACEPARENT.exec(String(request.headers['traceparent']))?.[1];
  const record: RequestRecord = { correlationId, startedAt: performance.now(), ...(traceId !== undefined && { traceId }) };
  (request as Recorded)[RECORD] = record;
  return record;
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
