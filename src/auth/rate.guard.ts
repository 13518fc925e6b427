import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import { AuthConfig } from '../config/app-config';
import { addressOf, networkOf } from './address';
import { TooManyRequests } from './auth.errors';
import { callerOf } from './caller';
import { RequestRate } from './request-rate';

const PROBES = /^(\/v2)?\/health(\/|$)/i;

/** Bounds what one key, or one address without a key, may ask for in a second. Probes are never counted: an orchestrator must hear us. */
@Injectable()
export class RateGuard implements CanActivate {
  private readonly limit: number;
  private readonly rate: RequestRate;

  constructor({ rateLimitPerSecond }: AuthConfig) {
    this.limit = rateLimitPerSecond;
    this.rate = new RequestRate(rateLimitPerSecond);
  }

  /** @throws TooManyRequests */
  canActivate(context: ExecutionContext): boolean {
    if (this.limit === 0) return true;
    const http = context.switchToHttp();
    const request = http.getRequest<Request>();
    if (PROBES.test(request.path)) return true;
    const { keyId } = callerOf(request);
    const { allowed, remaining, resetSeconds } = this.rate.take(keyId ?? `@${networkOf(addressOf(request))}`, performance.now());
    const response = http.getResponse<Response>();
    response.setHeader('RateLimit-Limit', this.limit);
    response.setHeader('RateLimit-Remaining', remaining);
    response.setHeader('RateLimit-Reset', resetSeconds);
    if (!allowed) throw new TooManyRequests(this.limit, resetSeconds);
    return true;
  }
}
