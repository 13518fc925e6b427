import type { NestExpressApplication } from '@nestjs/platform-express';
import { HttpConfig } from '../config/app-config';
import { OriginRule } from '../auth/origin-rule';
import { AccessLog } from '../logging/access-log';
import { HttpMetrics } from '../metrics/http-metrics';
import { Drainer } from './drainer';
import { ErrorFilter } from './error.filter';
import { firstMiddleware } from './first.middleware';
import { type HttpAdapter, limitConnections } from './http.adapter';
import { inTurn } from './in-turn';
import { originMiddleware } from './origin.middleware';
import { serveDocumentation } from './openapi';
import { answerUnreadable } from './unreadable-request';
import { unambiguousMiddleware } from './unambiguous.middleware';
import { securityHeaders } from './security-headers';

/** How an application must be created for this pipeline: bodies are read by `wire/` only. */
export const APPLICATION_OPTIONS = { bodyParser: false, bufferLogs: true, abortOnError: false } as const;

/** Everything that stands between the socket and a controller, in the order in which a request meets it. main.ts and every e2e test call it. */
export function applyHttpPipeline(app: NestExpressApplication): void {
  const [config, metrics] = [app.get(HttpConfig), app.get(HttpMetrics)];
  app.disable('x-powered-by').set('etag', false).set('trust proxy', config.trustedProxies);
  limitConnections(app.getHttpServer(), config);
  app.getHttpServer().on('clientError', (error, socket) => answerUnreadable(error, socket, (code) => metrics.countUnreadable(code)));
  const beforeRoutes = inTurn([
    firstMiddleware({ log: app.get(AccessLog), metrics, drainer: app.get(Drainer) }),
    securityHeaders(),
    unambiguousMiddleware,
    originMiddleware(app.get(OriginRule)),
  ]);
  app.use(beforeRoutes);
  if (config.direct === 'on') (app.getHttpAdapter() as HttpAdapter).goDirect(beforeRoutes);
  // the guard of `auth/` follows here, a provider of its module: after routing, before anything reads a body
  app.useGlobalFilters(new ErrorFilter());
  serveDocumentation(app);
}
