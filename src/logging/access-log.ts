import type { IncomingMessage, ServerResponse } from 'node:http';
import { Injectable } from '@nestjs/common';
import { LogLevel } from './log-level';
import type { RequestRecord } from './request-record';
import { isoTime, LogDestination } from './root-logger';

const MAX_PATH = 256;

/**
 * One line a request, written when its answer has ended. Takes the id from the record: the end may come in somebody else's context. It
 * looks like every other line, but is made in one go: pino's way costs a prediction 8 µs more.
 */
@Injectable()
export class AccessLog {
  constructor(
    private readonly level: LogLevel,
    private readonly destination: LogDestination,
  ) {}

  /** @param status what was sent, or 499 where the caller went away first */
  write(request: IncomingMessage, response: ServerResponse, record: RequestRecord, status: number, ms: number): void {
    if (!this.level.writesInfo) return;
    const { correlationId, traceId, spanId, parentSpanId, route, model, keyId, keyName, code } = record;
    const bytes = Number(response.getHeader('content-length') ?? 0);
    const path = pathOf(request.url ?? '');
    const answer = { method: request.method, path, status, ms: Math.round(ms * 1000) / 1000, bytes };
    const who = { correlationId, traceId, spanId, parentSpanId, route, model, keyId, keyName, code };
    // what is undefined is left out
    this.destination.write(`${JSON.stringify({ level: 'info', time: isoTime(), ...who, ...answer, msg: 'request' })}\n`);
  }
}

/** Without its query, which may hold what is nobody's business. */
function pathOf(url: string): string {
  const query = url.indexOf('?');
  return url.slice(0, query === -1 ? MAX_PATH : Math.min(query, MAX_PATH));
}
