import { type CustomDecorator, SetMetadata } from '@nestjs/common';
import type { AuthConfig } from '../config/app-config';

/** What a key can be allowed to do. `admin` in a key stands for all of them. */
export const SCOPES = [
  'predict',
  'models:read',
  'models:write',
  'promote',
  'promote:staging',
  'backup:run',
  'backup:restore',
  'cache:admin',
  'keys:admin',
  'logs:admin',
  'metrics',
] as const;

/** One thing that a key can be allowed to do. */
export type Scope = (typeof SCOPES)[number];

/** What a route asks of its caller. */
export interface Access {
  /** Any one of them is enough; none: everybody may. */
  readonly scopes: readonly Scope[];
  /** Whether the settings open the route to everybody. */
  readonly openWhere?: (config: AuthConfig) => boolean;
}

/** Under this key a handler's metadata says what it asks of its caller. */
export const ACCESS = Symbol('access');

/** Lets in whoever has a key with one of these scopes. Every route has this or `@Public()`: without either the start fails. */
export function Scope(...scopes: readonly [Scope, ...Scope[]]): CustomDecorator<symbol> {
  return SetMetadata(ACCESS, { scopes } satisfies Access);
}

/** As `@Scope`, but open to everybody where the settings say so. */
export function ScopeUnless(openWhere: (config: AuthConfig) => boolean, ...scopes: readonly [Scope, ...Scope[]]): CustomDecorator<symbol> {
  return SetMetadata(ACCESS, { scopes, openWhere } satisfies Access);
}

/** Lets everybody in, also without a key: nothing that such a route answers may be worth one. */
export function Public(): CustomDecorator<symbol> {
  return SetMetadata(ACCESS, { scopes: [] } satisfies Access);
}
