import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { AWAITED_SERIES } from './awaited';
import { dashboards, filledIn, type GridPos } from './dashboard-files';
import { documentedName, seriesIn, seriesOf } from './promql';

const ROOT = join(__dirname, '..', '..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const recordedRules = [...read('ops/prometheus/recording.rules.yml').matchAll(/record: (\S+)/g)].map(([, name]) => name as string);
const overlap = (a: GridPos, b: GridPos): boolean => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;

describe.each(dashboards())('%s', (_, board) => {
  const queries = board.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));

  it('has what Grafana asks of a dashboard and of its panels', () => {
    expect(board).toMatchObject({ uid: expect.stringMatching(/^[\w-]{1,40}$/), title: expect.any(String), schemaVersion: 39 });
    expect(board.panels.length).toBeGreaterThan(15);
    expect(new Set(board.panels.map(({ id }) => id)).size).toBe(board.panels.length);
    for (const { type, title, gridPos, targets = [], description } of board.panels) {
      expect(title).not.toBe('');
      expect(['row', 'stat', 'timeseries', 'table']).toContain(type);
      expect([title, gridPos.x + gridPos.w <= 24 && gridPos.w > 0 && gridPos.h > 0]).toEqual([title, true]);
      expect([title, targets.length > 0]).toEqual([title, type !== 'row']);
      expect(new Set(targets.map(({ refId }) => refId)).size).toBe(targets.length);
      expect([title, type === 'row' || (description ?? '').length > 3]).toEqual([title, true]);
    }
  });

  it('has no two panels in one place', () => {
    const pairs = board.panels.flatMap((panel, at) => board.panels.slice(at + 1).map((other) => [panel, other] as const));
    expect(pairs.filter(([a, b]) => overlap(a.gridPos, b.gridPos)).map(([a, b]) => `${a.title} / ${b.title}`)).toEqual([]);
  });

  it('asks the data source that is provisioned, for series that there are', () => {
    const { datasources } = load(read('ops/grafana/provisioning/datasources/prometheus.yml')) as {
      datasources: readonly { uid: string }[];
    };
    const uids = new Set(board.panels.flatMap(({ datasource }) => (datasource === undefined ? [] : [datasource.uid])));
    expect([...uids]).toEqual(datasources.map(({ uid }) => uid));
    const told = seriesIn(read('docs/METRICS.md') + read('docs/BACKUP.md'));
    const known = (name: string): boolean =>
      ['up', 'ALERTS'].includes(name) ||
      recordedRules.includes(name) ||
      told.has(name) ||
      told.has(documentedName(name)) ||
      AWAITED_SERIES.has(name);
    expect(queries.flatMap((expr) => seriesOf(filledIn(expr, '1m'))).filter((name) => !known(name))).toEqual([]);
  });

  it('asks for our job alone, and with variables that it has', () => {
    for (const expr of queries) {
      for (const [selector] of expr.matchAll(/(?<![:\w])[a-z][a-z0-9_]+\{[^}]*\}/g)) expect(selector).toContain('job="analytics-api"');
    }
    const asked = new Set(queries.flatMap((expr) => [...expr.matchAll(/\$(?!__)(\w+)/g)].map(([, name]) => name)));
    expect([...asked].sort()).toEqual(board.templating.list.map(({ name }) => name).sort());
  });
});

describe('the dashboards together', () => {
  it('have names of their own, and lie where Grafana is told to look', () => {
    const uids = dashboards().map(([, { uid }]) => uid);
    expect(new Set(uids).size).toBe(uids.length);
    const { providers } = load(read('ops/grafana/provisioning/dashboards/analytics-api.yml')) as {
      providers: readonly { options: { path: string } }[];
    };
    expect(read('docker-compose.yml')).toContain(`./ops/grafana/dashboards:${providers[0]?.options.path}:ro`);
    expect(read('docker-compose.yml')).toContain('./ops/grafana/provisioning:/etc/grafana/provisioning:ro');
  });

  it('and the rules ask for every series that is recorded', () => {
    const texts = [read('ops/prometheus/alerts.rules.yml'), ...dashboards().map(([, board]) => JSON.stringify(board))];
    const exprs = read('ops/prometheus/recording.rules.yml').replaceAll(/record: \S+/g, '');
    expect(recordedRules.filter((name) => ![...texts, exprs].some((text) => text.includes(name)))).toEqual([]);
  });
});
