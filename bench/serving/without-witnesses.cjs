// Loaded before our server: takes the access log, the metrics of requests and predictions and the correlation out of it, to tell what they cost.
// Everything else stays. The bench asks such a server whether they are gone.
'use strict';
require('reflect-metadata');
const path = require('node:path');

const dist = (file) => require(path.join(__dirname, '../../dist', file));
const RECORD = Symbol('record of a request that nobody follows');

/** Puts something else in the place of what is there. @throws where nothing is: the figure would say that nothing costs nothing */
function replace(owner, name, other) {
  if (typeof owner[name] !== 'function')
    throw new Error(`no ${name} to take out: bench/serving/without-witnesses.cjs is behind the server`);
  owner[name] = other;
}

const record = (request) => (request[RECORD] ??= { correlationId: 'nobody', startedAt: 0 });
replace(dist('logging/request-record'), 'openRecord', record);
replace(dist('logging/request-record'), 'recordOf', record);
replace(dist('logging/correlation-context').CorrelationContext, 'run', (_correlation, work) => work());
replace(dist('logging/access-log').AccessLog.prototype, 'write', () => undefined);
replace(dist('metrics/http-metrics').HttpMetrics.prototype, 'observe', () => undefined);
replace(dist('metrics/distribution').Distribution.prototype, 'observe', () => undefined);
replace(dist('metrics/counts').Counts.prototype, 'count', () => undefined);
replace(dist('inference/cache-counts').CacheCounts.prototype, 'count', () => undefined);
replace(dist('http/first.middleware'), 'firstMiddleware', () => (_request, _response, next) => next());
