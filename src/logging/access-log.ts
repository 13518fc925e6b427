import type { IncomingMessage, ServerResponse } from 'node:http';
import { Injectable } from '@nestjs/common';
import { PinoLogger } from 'nestjs-pino';
import type { RequestRecord } from './request-record';

/** One line a request, written when its answer has ended. Takes the id from the record: the end may come in somebody else's context. */
@Injectable()
export class AccessLog {
  constructor(private readonly logger: PinoLogger) {}

  /** @param status what was sent, or 499 where the caller went away first */
  write(request: IncomingMessage, response: ServerResponse, record: RequestRecord, status: number, ms: number): void {
    const { startedAt: _, ...known } = record;
    const bytes = Number(response.getHeader('content-length') ?? 0);
    // the path without its query: a query may hold what is nobody's business
    const path = (request.url ?? '').split('?', 1)[0]?.slice(0, 256);
    this.logger.info({ ...known, method: request.method, path, status, ms: Math.round(ms * 1000) / 1000, bytes }, 'request');
  }
}
