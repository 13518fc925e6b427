import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { PATH_METADATA } from '@nestjs/common/constants';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { AuthConfig } from '../config/app-config';
import { RouteWithoutScope } from './auth.errors';
import { type Access, ACCESS } from './scope.decorator';

type Handler = (...args: readonly unknown[]) => unknown;

/** What each route asks of its caller. One that does not say it fails the start, and lets nobody in. */
@Injectable()
export class RouteAccess implements OnApplicationBootstrap {
  private readonly known = new WeakMap<object, Access>();

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly config: AuthConfig,
  ) {}

  /** @throws RouteWithoutScope naming every such route at once */
  onApplicationBootstrap(): void {
    const scanner = new MetadataScanner();
    const silent = this.discovery.getControllers().flatMap(({ metatype }) => {
      const { name, prototype } = metatype as { name: string; prototype: Record<string, Handler> };
      return scanner
        .getAllMethodNames(prototype)
        .filter((method) => Reflect.hasMetadata(PATH_METADATA, prototype[method] as Handler))
        .filter((method) => declaredOf(prototype[method] as Handler) === undefined)
        .map((method) => `${name}.${method}`);
    });
    if (silent.length > 0) throw new RouteWithoutScope(silent);
  }

  /** @param handler the method that a request was routed to @throws RouteWithoutScope */
  of(handler: Handler): Access {
    const known = this.known.get(handler);
    if (known !== undefined) return known;
    const declared = declaredOf(handler);
    if (declared === undefined) throw new RouteWithoutScope([handler.name]);
    const access = declared.openWhere?.(this.config) === true ? { scopes: [] } : declared;
    this.known.set(handler, access);
    return access;
  }
}

function declaredOf(handler: Handler): Access | undefined {
  return Reflect.getMetadata(ACCESS, handler) as Access | undefined;
}
