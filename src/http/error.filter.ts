import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Logger } from '@nestjs/common';
import type { Request, Response } from 'express';
import { AppError } from '../errors/app-error';
import { CORRELATION_HEADER, correlationOf, recordOf } from '../logging/request-record';
import { errorAnswerOf } from './error-answer';
import { InternalError, MalformedRequest, RouteNotFound } from './http.errors';
import { leaveUnread } from './leave-unread';

const RETRY_AFTER_SECONDS = '1';
const CHALLENGE = 'Bearer realm="analytics-api"';

/** The one place where an error becomes an answer. What nobody foresaw is a 500 that tells the caller nothing but the id. */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  private readonly logger = new Logger(ErrorFilter.name);

  catch(thrown: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<Request>();
    const response = host.switchToHttp().getResponse<Response>();
    const record = recordOf(request);
    const error = appErrorOf(thrown, request);
    const { status, contentType, body: answer } = errorAnswerOf(error, request.path, record.correlationId);
    record.code = error.code;
    if (isFailure(error, status)) {
      this.logger.error('request failed', { ...correlationOf(record), code: error.code, err: thrown });
    }
    if (response.headersSent) return void response.destroy();
    response.statusCode = status;
    response.setHeader(CORRELATION_HEADER, record.correlationId);
    response.setHeader('Content-Type', contentType);
    if (status === 401) response.setHeader('WWW-Authenticate', CHALLENGE);
    if (status === 429 || status === 503) response.setHeader('Retry-After', retryAfter(error));
    if (status === 408) response.setHeader('Connection', 'close'); // the rest of the body may still come
    leaveUnread(error.kind, request, response);
    const body = Buffer.from(JSON.stringify(answer));
    response.setHeader('Content-Length', body.length);
    response.end(body);
  }
}

function appErrorOf(thrown: unknown, { method, path }: Request): AppError {
  if (thrown instanceof AppError) return thrown;
  const status = thrown instanceof HttpException ? thrown.getStatus() : statusOf(thrown);
  if (status === 404) return new RouteNotFound(method, path);
  return status >= 400 && status < 500 ? new MalformedRequest({ cause: thrown }) : new InternalError({ cause: thrown });
}

/** A probe that says no, and what we say that we do not do, are answers: the access line has them. */
function isFailure({ code, kind }: AppError, status: number): boolean {
  return status >= 500 && code !== 'NOT_READY' && kind !== 'unsupported';
}

function retryAfter(error: AppError): string {
  return 'retryAfterSeconds' in error ? String(error.retryAfterSeconds) : RETRY_AFTER_SECONDS;
}

/** Express's own errors (a path that is no valid UTF-8) carry a status. */
function statusOf(thrown: unknown): number {
  const carried = typeof thrown === 'object' && thrown !== null && 'status' in thrown ? thrown.status : undefined;
  return typeof carried === 'number' ? carried : 500;
}
