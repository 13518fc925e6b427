import { createServer, IncomingMessage, type RequestListener, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { ExpressAdapter } from '@nestjs/platform-express';
import type { Application, ErrorRequestHandler, NextFunction, Request, RequestHandler, Response } from 'express';
import type { HttpConfig } from '../config/app-config';
import { holdBody } from '../wire/expectation';
import { collectingHeads, type CollectsHead } from './collected-head';
import { type DirectMatch, DirectRoutes } from './direct-routes';

/** How often Node looks for connections that are over their time, milliseconds. Its own 30 s would let each of them live so much longer. */
const CHECK_MS = 1000;
const MAX_HEADER_BYTES = 16_384;

/** Express behind a server whose connections can be limited; predictions may go past its router, straight to Nest's handlers. */
export class HttpAdapter extends ExpressAdapter {
  private readonly predictions = new DirectRoutes();
  private beforeRoutes: RequestHandler | undefined;
  private failed: ErrorRequestHandler = (error, _request, _response, next) => next(error);

  /** From now on predictions go past the router. @param beforeRoutes what every request goes through first */
  goDirect(beforeRoutes: RequestHandler): void {
    this.beforeRoutes = beforeRoutes;
  }

  override initHttpServer(): void {
    const options = {
      connectionsCheckingInterval: CHECK_MS,
      requestTimeout: 0, // `wire/` gives each kind of body its own time
      maxHeaderSize: MAX_HEADER_BYTES,
      requireHostHeader: true,
    };
    const handle = this.listenerOf(this.getInstance<Application>());
    const server = createServer({ ...options, ...messagesOf(this.getInstance<ExpressPrototypes>()) }, handle);
    server.on('checkContinue', (request, response) => {
      holdBody(request, response);
      handle(request, response);
    });
    this.setHttpServer(server);
  }

  override post(...given: readonly unknown[]): unknown {
    const [path, handler] = given;
    if (typeof path === 'string') this.predictions.add(path, handler as RequestHandler);
    return (super.post as (...given: readonly unknown[]) => unknown).call(this, ...given);
  }

  override setErrorHandler(handler: ErrorRequestHandler, prefix?: string): unknown {
    this.failed = handler;
    return super.setErrorHandler(handler, prefix) as unknown;
  }

  /**
   * Text and bytes leave as they are, where their type is known: Nest would write a Buffer as a JSON object, and Express looks for more
   * to do.
   */
  override reply(response: Response, body: unknown, statusCode?: number): unknown {
    const bytes = body instanceof Uint8Array ? body.length : textLength(response, body);
    if (bytes === undefined) return super.reply(response, body, statusCode) as unknown;
    if (statusCode !== undefined) response.statusCode = statusCode;
    response.setHeader('Content-Length', bytes);
    // what is ASCII is quicker written as Latin-1, in one piece with the head
    return response.end(body, typeof body === 'string' && body.length === bytes ? 'latin1' : 'utf8');
  }

  private listenerOf(express: RequestListener): RequestListener {
    return (request, response) => {
      const { method, url = '' } = request;
      const match = method === 'POST' && this.beforeRoutes !== undefined ? this.predictions.match(url) : undefined;
      if (match === undefined) express(request, response);
      else this.direct(request as Request, response as Response, match);
    };
  }

  /** As Express would do it that knew no other route. */
  private direct(request: Request, response: Response, { route, params }: DirectMatch): void {
    request.res = response;
    (response as Response & CollectsHead).collect();
    request.originalUrl = request.url;
    request.baseUrl = '';
    const next: NextFunction = (error?: unknown) => this.failed(error, request, response, next) as void;
    this.beforeRoutes?.(request, response, (error?: unknown) => {
      if (error !== undefined) return this.failed(error, request, response, next) as void;
      request.route = route;
      request.params = params;
      route.handler(request, response, next) as void;
    });
  }
}

/** What Express makes of Node's messages: not in the types of Express. */
type ExpressPrototypes = Application & { readonly request: object; readonly response: object };

/** Requests and answers that are what Express makes of Node's from their beginning, so that those who go past its router have all of it. */
function messagesOf({ request, response }: ExpressPrototypes): {
  IncomingMessage: typeof IncomingMessage;
  ServerResponse: typeof ServerResponse;
} {
  class ExpressRequest extends IncomingMessage {}
  class ExpressResponse<T extends IncomingMessage> extends ServerResponse<T> {}
  Object.setPrototypeOf(ExpressRequest.prototype, request);
  Object.setPrototypeOf(ExpressResponse.prototype, response);
  return { IncomingMessage: ExpressRequest, ServerResponse: collectingHeads(ExpressResponse) };
}

/** Bytes of a text whose type has been told. */
function textLength(response: Response, body: unknown): number | undefined {
  const known = typeof body === 'string' && response.req.method === 'POST' && response.hasHeader('content-type');
  return known ? Buffer.byteLength(body) : undefined;
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
