// The cache's figures as rows of text: the bench prints them, and the document has them as tables.
import { judge } from '../serving/figures.mjs';
import { aboutOf, barsTable, labelOf, quietOf, serversTable, shown } from '../serving/telling.mjs';
import { BARS, hitFigures, ownFigures, samplesOf, VALIDS } from './figures.mjs';

export { aboutOf };

const hitLabel = (name) => (name === 'ours' ? 'analytics-api, every request a hit in memory' : labelOf(name));

function own(results) {
  const rows = ownFigures(results).map(({ what, connections, perSecond, p50, p99, cpuMicros }) => [
    what,
    String(connections),
    shown(perSecond, 0),
    shown(p50, 2),
    shown(p99, 1),
    shown(cpuMicros, 0),
  ]);
  return { head: ['analytics-api', 'connections', 'requests/s', 'p50 ms', 'p99 ms', 'CPU µs'], rows };
}

/** @returns tables with rows in them */
export function tablesOf(results) {
  const tables = [serversTable(hitFigures(results), hitLabel), own(results), barsTable(results, [...VALIDS, ...BARS])];
  return tables.filter(({ rows }) => rows.length > 0);
}

/** How far the figures can be trusted. */
export function trustOf(results) {
  const broken = judge(results, VALIDS).filter(({ holds }) => holds === false);
  return [
    ...quietOf(samplesOf(results)),
    ...broken.map(({ what, value, bar }) => `THIS RUN DOES NOT COUNT: ${what}: ${Number(value.toFixed(2))}, not ${bar}.`),
  ];
}
