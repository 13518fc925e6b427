import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { ApiHeader } from '@nestjs/swagger';
import type { Request } from 'express';
import { callerOf } from '../../auth/caller';
import { InvalidName } from '../models.errors';
import type { Change } from '../registry/registry-changes';

const KEY = /^[\x21-\x7e]{1,255}$/;

/** What a request says of the change that it wants: who asks, on which condition, under which key. @throws InvalidName */
export const ChangeOf = createParamDecorator((_: unknown, context: ExecutionContext): Change => {
  const request = context.switchToHttp().getRequest<Request>();
  const { headers } = request;
  const { actor } = callerOf(request);
  const ifMatch = headers['if-match'];
  const idempotencyKey = headers['idempotency-key'] as string | undefined;
  if (idempotencyKey !== undefined && !KEY.test(idempotencyKey))
    throw new InvalidName('Idempotency-Key', '1 to 255 visible ASCII characters without a space', idempotencyKey);
  return { actor, ...(ifMatch !== undefined && { ifMatch }), ...(idempotencyKey !== undefined && { idempotencyKey }) };
});

/** The headers that ChangeOf reads, for the API's documentation. */
export function ApiChange(): MethodDecorator {
  const ifMatch = ApiHeader({
    name: 'If-Match',
    required: false,
    description: 'The `ETag` of the model that you saw: refused (412) where it was changed since',
  });
  const key = ApiHeader({
    name: 'Idempotency-Key',
    required: false,
    description: 'A text of your own: the same request again under it is answered alike, and done once',
  });
  return (target, property, descriptor: PropertyDescriptor) => {
    for (const decorate of [ifMatch, key]) decorate(target, property, descriptor);
  };
}
