import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import type { Request, Response } from 'express';
import { type Observable, tap } from 'rxjs';
import { RegistryState } from '../registry/registry-state';

/** Tells with every answer about a model in which state it is: what `If-Match` wants. */
@Injectable()
export class ModelEtagInterceptor implements NestInterceptor {
  constructor(private readonly state: RegistryState) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const http = context.switchToHttp();
    const { model } = http.getRequest<Request>().params;
    return next.handle().pipe(
      tap(() => {
        if (this.state.find(String(model)) !== undefined) http.getResponse<Response>().setHeader('ETag', this.state.etagOf(String(model)));
      }),
    );
  }
}
