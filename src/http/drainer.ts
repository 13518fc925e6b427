import { setTimeout as sleep } from 'node:timers/promises';
import type { Server } from 'node:http';
import { type BeforeApplicationShutdown, Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { HttpConfig } from '../config/app-config';
import { closePort } from './close-port';

/**
 * How the server stops: readiness goes at once (`health/`), requests are still taken for the drain time so that no balancer meets a
 * closed port, then the port closes, what is in flight is answered, and what never ends is cut.
 */
@Injectable()
export class Drainer implements OnModuleDestroy, BeforeApplicationShutdown {
  private readonly logger = new Logger(Drainer.name);
  private stopping = false;

  constructor(
    private readonly adapter: HttpAdapterHost,
    private readonly config: HttpConfig,
  ) {}

  /** From now on every answer asks its caller to open a new connection next time. */
  get draining(): boolean {
    return this.stopping;
  }

  onModuleDestroy(): void {
    this.stopping = true;
  }

  /** Only SIGTERM comes from somebody who watches readiness; at a terminal nobody wants to wait. */
  async beforeApplicationShutdown(signal?: string): Promise<void> {
    this.logger.log('stopping', { signal });
    if (signal === 'SIGTERM') await sleep(this.config.drainSeconds * 1000);
    const server = this.adapter.httpAdapter.getHttpServer() as Server;
    if (!(await closePort(server))) this.logger.warn('port closed while connections still came');
    // a kept connection that falls idle after close() began would hold the process
    setInterval(() => server.closeIdleConnections(), 100).unref();
    setTimeout(() => server.closeAllConnections(), this.config.stopSeconds * 1000).unref();
  }
}
