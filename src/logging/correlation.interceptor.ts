import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import type { Request } from 'express';
import type { Observable } from 'rxjs';
import { recordOf, routeOf } from './request-record';

/** Puts route and model on the request's record. It only decorates: the id is there since the first middleware. */
@Injectable()
export class CorrelationInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = context.switchToHttp().getRequest<Request>();
    const record = recordOf(request);
    record.route = routeOf(request);
    const { model } = request.params;
    if (typeof model === 'string') record.model = model;
    return next.handle();
  }
}
