import type { NextFunction, Request, Response } from 'express';
import { AccessLog } from '../logging/access-log';
import { CorrelationContext } from '../logging/correlation-context';
import { CORRELATION_HEADER, correlationOf, openRecord, modelOf, routeOf } from '../logging/request-record';
import type { HttpMetrics } from '../metrics/http-metrics';
import type { Drainer } from './drainer';
import { isUnread } from './leave-unread';

const CLIENT_GONE = 499;
const LINGER_MS = 5000;

/** What the first middleware tells what it saw. */
export interface Witnesses {
  readonly log: AccessLog;
  readonly metrics: HttpMetrics;
  readonly drainer: Drainer;
}

/**
 * Opens the record and the context of a request, before anything can fail; and tells log and figures how it ended, whoever answered
 * it.
 */
export function firstMiddleware({ log, metrics, drainer }: Witnesses) {
  return (request: Request, response: Response, next: NextFunction): void => {
    const record = openRecord(request);
    response.setHeader(CORRELATION_HEADER, record.correlationId);
    if (drainer.draining) response.setHeader('Connection', 'close');
    response.on('close', () => {
      const status = response.writableFinished ? response.statusCode : CLIENT_GONE;
      const ms = performance.now() - record.startedAt;
      record.route = routeOf(request);
      const model = modelOf(request);
      if (model !== undefined) record.model = model;
      log.write(request, response, record, status, ms);
      metrics.observe(request.method, record.route, status, ms / 1000);
      if (record.code !== undefined) metrics.countError(record.code);
      if (!request.complete && !isUnread(request)) readOut(request);
    });
    CorrelationContext.run(correlationOf(record), next);
  };
}

/** A caller that still sends reads its answer only when it is done: what comes is thrown away, for a while. */
function readOut(request: Request): void {
  request.resume();
  setTimeout(() => request.complete || request.socket.destroy(), LINGER_MS).unref();
}
