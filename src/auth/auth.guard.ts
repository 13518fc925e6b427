import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { Request } from 'express';
import { AppError } from '../errors/app-error';
import { recordOf } from '../logging/request-record';
import { addressOf } from './address';
import { readKey } from './api-key';
import { AuditTrail } from './audit-trail';
import { Forbidden, TooManyFailures, Unauthenticated } from './auth.errors';
import { ANYBODY, type Caller, NOBODY, setCaller } from './caller';
import { credentialOf } from './credentials';
import { FailedAttempts } from './failed-attempts';
import { KeyRing } from './key-ring';
import { RouteAccess } from './route-access';
import type { Access } from './scope.decorator';

/** The one door: every request meets it after it was routed and before anything of its body is read. */
@Injectable()
export class AuthGuard implements CanActivate {
  private readonly failures = new FailedAttempts();

  constructor(
    private readonly routes: RouteAccess,
    private readonly keys: KeyRing,
    private readonly trail: AuditTrail,
  ) {}

  /** @throws Unauthenticated, Forbidden, KeyMisplaced, TooManyFailures, KeysUnreadable */
  canActivate(context: ExecutionContext): boolean {
    const access = this.routes.of(context.getHandler() as (...args: readonly unknown[]) => unknown);
    const request = context.switchToHttp().getRequest<Request>();
    setCaller(request, this.admit(access, request));
    return true;
  }

  private admit(access: Access, request: Request): Caller {
    if (!this.keys.required) return ANYBODY;
    if (access.scopes.length === 0) return NOBODY;
    const text = credentialOf(request);
    const caller = text === undefined ? undefined : this.keys.authenticate(text);
    if (caller === undefined) throw this.unknown(request, text);
    const record = recordOf(request);
    [record.keyId, record.keyName] = [caller.keyId as string, caller.name];
    const { model } = request.params;
    // one answer for a model that is not there and for one that is not the caller's
    if (caller.may(...access.scopes) && (typeof model !== 'string' || caller.mayUse(model))) return caller;
    throw this.noted(request, new Forbidden(), caller.keyId);
  }

  /** Who has no valid key is answered so often and no more. A valid key is let in from the same address all the same. */
  private unknown(request: Request, text: string | undefined): AppError {
    this.keys.requireKeys();
    const address = addressOf(request);
    const now = performance.now();
    const seconds = this.failures.blockedSeconds(address, now);
    if (text !== undefined) this.failures.count(address, now);
    const keyId = text === undefined ? undefined : readKey(text)?.id;
    return this.noted(request, seconds > 0 ? new TooManyFailures(seconds) : new Unauthenticated(), keyId);
  }

  private noted(request: Request, error: AppError, keyId: string | undefined): AppError {
    const { correlationId } = recordOf(request);
    const address = addressOf(request);
    this.trail.refused({ address, code: error.code, correlationId, ...(keyId !== undefined && { keyId }) });
    return error;
  }
}
