import type { IncomingMessage, ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { Injectable } from '@nestjs/common';
import { AuthConfig } from '../config/app-config';
import { ForeignHost, ForeignOrigin } from './auth.errors';
import { KeyRing } from './key-ring';

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];
const HEADERS = [
  'authorization',
  'cache-control',
  'content-encoding',
  'content-type',
  'idempotency-key',
  'if-match',
  'inference-header-content-length',
  'traceparent',
  'x-api-key',
  'x-confirm',
  'x-correlation-id',
  'x-request-deadline-ms',
];
const EXPOSED =
  'Age, ETag, Inference-Header-Content-Length, Location, Retry-After, Server-Timing, X-Cache, X-Correlation-Id, X-Model-Digest, X-Model-Version, X-Non-Finite';
const PREFLIGHT_SECONDS = '600';
const HOST = /^(\[[0-9a-f:.]+\]|[^:[\]@/\\]+)(?::[0-9]{1,5})?$/i;
const PROBES = /^(\/v2)?\/health\/[a-z]+\/?(\?|$)/i;

/**
 * What a page of another site may do in a browser that reaches this service: look, where `CORS_ORIGINS` lets it, and change nothing. And
 * under which names the service answers, so that no other name can be made to lead here.
 */
@Injectable()
export class OriginRule {
  private readonly hosts: ReadonlySet<string>;
  private readonly hostsListed: boolean;
  private readonly origins: ReadonlySet<string>;

  constructor(
    { allowedHosts, corsOrigins }: AuthConfig,
    private readonly keys: KeyRing,
  ) {
    this.hosts = new Set(['localhost', hostname(), ...allowedHosts].map((name) => name.toLowerCase()));
    this.hostsListed = allowedHosts.length > 0;
    this.origins = new Set(corsOrigins);
  }

  /**
   * Judges a request before it is routed, and gives its answer the headers that a page of `CORS_ORIGINS` needs.
   * @returns whether the request was answered: it only asked what a page may do
   * @throws ForeignHost, ForeignOrigin
   */
  apply(request: IncomingMessage, response: ServerResponse): boolean {
    this.refuseHost(request);
    const { origin } = request.headers;
    if (this.origins.size > 0) response.appendHeader('Vary', 'Origin');
    const listed = origin !== undefined && this.origins.has(origin);
    if (listed) {
      response.setHeader('Access-Control-Allow-Origin', origin);
      response.setHeader('Access-Control-Expose-Headers', EXPOSED);
    } else if (!SAFE.has(request.method ?? '')) refuseForeign(request);
    if (request.method !== 'OPTIONS') return false;
    if (listed && isAllowed(request)) {
      response.setHeader('Access-Control-Allow-Methods', METHODS.join(', '));
      response.setHeader('Access-Control-Allow-Headers', HEADERS.join(', '));
      response.setHeader('Access-Control-Max-Age', PREFLIGHT_SECONDS);
    }
    response.statusCode = 204; // and nothing of what there is under this path: that takes a key
    response.end();
    return true;
  }

  /** With keys, a page that made its name lead here has none to send: so only without them, or where somebody asked for it. */
  private refuseHost({ url = '', headers: { host = '' } }: IncomingMessage): void {
    if (!this.hostsListed && this.keys.required) return;
    if (PROBES.test(url)) return; // probes come by the address of a pod, or by any name
    const name = HOST.exec(host)?.[1]?.toLowerCase() ?? '';
    const address = name.startsWith('[') ? name.slice(1, -1) : name;
    if (isIP(address) === 0 && !this.hosts.has(name)) throw new ForeignHost(host);
  }
}

function refuseForeign({ headers }: IncomingMessage): void {
  const { origin, host = '' } = headers;
  if (headers['sec-fetch-site'] === 'cross-site') throw new ForeignOrigin(origin ?? 'another site');
  if (origin !== undefined && !isOwn(origin, host)) throw new ForeignOrigin(origin);
}

/** Whether the page came from the host and port that it calls. The scheme may differ: a proxy in front of us may speak TLS. */
function isOwn(origin: string, host: string): boolean {
  if (!URL.canParse(origin)) return false; // also "null", the origin of a file or of a sandbox
  const { protocol, host: from } = new URL(origin);
  const own = `${protocol}//${host}`;
  return (protocol === 'http:' || protocol === 'https:') && URL.canParse(own) && new URL(own).host === from;
}

function isAllowed({ headers }: IncomingMessage): boolean {
  const asked = headers['access-control-request-headers']?.split(',').map((name) => name.trim().toLowerCase()) ?? [];
  return METHODS.includes(headers['access-control-request-method'] ?? '') && asked.every((name) => HEADERS.includes(name));
}
