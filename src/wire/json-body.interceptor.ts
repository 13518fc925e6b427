import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import type { Request } from 'express';
import type { Observable } from 'rxjs';
import { HttpConfig } from '../config/app-config';
import { readJson } from './read-json';

/** Gives a management route its `@Body()`. Nest's own body parser is off. */
@Injectable()
export class JsonBodyInterceptor implements NestInterceptor {
  constructor(private readonly config: HttpConfig) {}

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const request = context.switchToHttp().getRequest<Request>();
    request.body = await readJson(request, this.config);
    return next.handle();
  }
}
