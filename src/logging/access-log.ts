import type { IncomingMessage, ServerResponse } from 'node:http';
import { Injectable } from '@nestjs/common';
import type { Logger } from 'pino';
import { LogConfig } from '../config/app-config';
import type { RequestRecord } from './request-record';
import { LogDestination, plainLogger } from './root-logger';

const MAX_PATH = 256;

/** One line a request, written when its answer has ended. Takes the id from the record: the end may come in somebody else's context. */
@Injectable()
export class AccessLog {
  private readonly logger: Logger;

  constructor({ level }: LogConfig, destination: LogDestination) {
    this.logger = plainLogger(level, destination);
  }

  /** @param status what was sent, or 499 where the caller went away first */
  write(request: IncomingMessage, response: ServerResponse, record: RequestRecord, status: number, ms: number): void {
    const { correlationId, traceId, route, model, keyId, keyName, code } = record;
    const bytes = Number(response.getHeader('content-length') ?? 0);
    const path = pathOf(request.url ?? '');
    const answer = { method: request.method, path, status, ms: Math.round(ms * 1000) / 1000, bytes };
    // what is undefined is left out
    this.logger.info({ correlationId, traceId, route, model, keyId, keyName, code, ...answer }, 'request');
  }
}

/** Without its query, which may hold what is nobody's business. */
function pathOf(url: string): string {
  const query = url.indexOf('?');
  return url.slice(0, query === -1 ? MAX_PATH : Math.min(query, MAX_PATH));
}
