// Figures as rows of text: the bench prints them, and the document has them as tables.
import { BARS, judge, modelFigures, samplesOf, serverFigures, VALID } from './figures.mjs';
import { aboutOf, barsTable, quietOf, serversTable, shown } from './telling.mjs';

export { aboutOf };

function models(results) {
  const rows = modelFigures(results).map((of) => [
    of.about,
    String(of.rows),
    ...[of.bulkOurs, of.bulkEngine].map((value) => shown(value, 0)),
    shown(of.bulkRatio, 2),
    ...[of.oneOurs, of.oneLimit].map((value) => shown(value, 0)),
    shown(of.oneRatio, 2),
  ]);
  return {
    head: ['model', 'rows a request', 'rows/s, binary', 'the engine alone', 'ratio', 'requests/s, one row in JSON', 'limit', 'ratio'],
    rows,
  };
}

/** @returns tables with rows in them */
export function tablesOf(results) {
  const tables = [serversTable(serverFigures(results)), models(results), barsTable(results, [VALID, ...BARS])];
  return tables.filter(({ rows }) => rows.length > 0);
}

/** How far the figures can be trusted. */
export function trustOf(results) {
  const processes = results.memory?.examples.map((sample) => sample.processes);
  const [valid] = judge(results, [VALID]);
  return [
    ...quietOf(samplesOf(results)),
    ...(processes === undefined ? [] : [`Processes of the idle server: ${Math.max(...processes)}.`]),
    ...(valid.holds === false ? ['THIS RUN DOES NOT COUNT: what is taken for the limit is none on this machine now.'] : []),
  ];
}
