import type { IncomingMessage } from 'node:http';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import type { Scope } from './scope.decorator';

const CALLER = Symbol('caller');

type WithCaller = IncomingMessage & { [CALLER]?: Caller };

/** What is known of a key that is in force. */
export interface CallerFields {
  readonly keyId: string;
  readonly name: string;
  readonly scopes: readonly (Scope | 'admin')[];
  /** Names of models, exact or `prefix*`; none: every model. */
  readonly models: readonly string[];
}

/** Who asks, and what it may. */
export class Caller {
  /** Public id of the key; undefined without one. */
  readonly keyId: string | undefined;
  /** What people call the key. */
  readonly name: string;
  /** As events and the log name it: `key:<name>` or `anonymous`. */
  readonly actor: string;
  private readonly scopes: ReadonlySet<string>;
  private readonly patterns: readonly string[];

  /** @param fields none: nobody with a key */
  constructor(fields?: CallerFields, anonymousMay: readonly (Scope | 'admin')[] = []) {
    this.keyId = fields?.keyId;
    this.name = fields?.name ?? 'anonymous';
    this.actor = fields === undefined ? 'anonymous' : `key:${fields.name}`;
    this.scopes = new Set(fields?.scopes ?? anonymousMay);
    this.patterns = fields?.models ?? [];
  }

  /** Whether one of these scopes is the caller's. */
  may(...scopes: readonly Scope[]): boolean {
    return this.scopes.has('admin') || scopes.some((scope) => this.scopes.has(scope));
  }

  /** Whether no model is kept from the caller. */
  get mayUseAll(): boolean {
    return this.patterns.length === 0;
  }

  /** Whether the caller may know of this model. What it may do with it is what its scopes say. */
  mayUse(model: string): boolean {
    return this.patterns.length === 0 || this.patterns.some((pattern) => covers(pattern, model));
  }
}

/** Whoever comes where no keys are asked for: may do everything. */
export const ANYBODY = new Caller(undefined, ['admin']);

/** Whoever comes without a key to what is open to everybody. */
export const NOBODY = new Caller();

/** Puts the caller on its request. */
export function setCaller(request: IncomingMessage, caller: Caller): void {
  (request as WithCaller)[CALLER] = caller;
}

/** Who sent a request that the guard has let in; before that: nobody. */
export function callerOf(request: IncomingMessage): Caller {
  return (request as WithCaller)[CALLER] ?? NOBODY;
}

/** Gives a controller's method its `Caller`. */
export const CurrentCaller = createParamDecorator((_: unknown, context: ExecutionContext) =>
  callerOf(context.switchToHttp().getRequest<Request>()),
);

function covers(pattern: string, model: string): boolean {
  return pattern.endsWith('*') ? model.startsWith(pattern.slice(0, -1)) : pattern === model;
}
