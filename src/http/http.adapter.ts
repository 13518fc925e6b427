import { createServer, type RequestListener, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { ExpressAdapter } from '@nestjs/platform-express';
import type { Response } from 'express';
import type { HttpConfig } from '../config/app-config';
import { holdBody } from '../wire/expectation';
import { answerUnreadable } from './unreadable-request';

/** How often Node looks for connections that are over their time, milliseconds. Its own 30 s would let each of them live so much longer. */
const CHECK_MS = 1000;
const MAX_HEADER_BYTES = 16_384;

/** Express behind a server whose connections can be limited. */
export class HttpAdapter extends ExpressAdapter {
  override initHttpServer(): void {
    const options = {
      connectionsCheckingInterval: CHECK_MS,
      requestTimeout: 0, // `wire/` gives each kind of body its own time
      maxHeaderSize: MAX_HEADER_BYTES,
      requireHostHeader: true,
    };
    const handle = this.getInstance<RequestListener>();
    const server = createServer(options, handle);
    server.on('checkContinue', (request, response) => {
      holdBody(request, response);
      handle(request, response);
    });
    server.on('clientError', answerUnreadable);
    this.setHttpServer(server);
  }

  /** Bytes leave as they are: Nest would write a Buffer as a JSON object. */
  override reply(response: Response, body: unknown, statusCode?: number): unknown {
    if (!(body instanceof Uint8Array)) return super.reply(response, body, statusCode) as unknown;
    if (statusCode !== undefined) response.statusCode = statusCode;
    response.setHeader('Content-Length', body.length);
    return response.end(body);
  }
}

/** The server waits for nobody for ever, and nobody takes all of it. */
export function limitConnections(server: Server, config: HttpConfig): void {
  server.headersTimeout = config.headerSeconds * 1000;
  server.keepAliveTimeout = config.keepAliveSeconds * 1000;
  server.maxConnections = config.maxConnections;
  server.maxRequestsPerSocket = config.maxRequestsPerConnection;
  // Node looks at the progress of what it writes before it says that nothing happens; a caller who waits for an answer may wait
  server.setTimeout(config.unreadSeconds * 1000, (socket: Socket) => void (socket.writableLength > 0 && socket.destroy()));
  limitAddresses(server, config.maxConnectionsPerAddress);
}

function limitAddresses(server: Server, most: number): void {
  const open = new Map<string, number>();
  server.prependListener('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? 'gone';
    const count = (open.get(address) ?? 0) + 1;
    if (count > most) return void socket.destroy();
    open.set(address, count);
    socket.once('close', () => {
      const left = (open.get(address) as number) - 1;
      if (left === 0) open.delete(address);
      else open.set(address, left);
    });
  });
}
