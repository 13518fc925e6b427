import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { describeWith } from '../cache/redis-process';
import { AWAITED_SERIES } from './awaited';
import { documentedName, seriesIn, seriesOf } from './promql';

const ROOT = join(__dirname, '..', '..');
const OPS = join(ROOT, 'ops', 'prometheus');
const RUNBOOKS = join(ROOT, 'docs', 'runbooks');
const SECONDS = 120;

interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}
interface RuleFile {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[];
}
interface Cases {
  readonly tests: readonly {
    readonly name: string;
    readonly alert_rule_test: readonly { readonly alertname: string; readonly exp_alerts: readonly unknown[] }[];
  }[];
}

const read = (path: string): string => readFileSync(path, 'utf8');
const rulesOf = (file: string): readonly Rule[] => (load(read(join(OPS, file))) as RuleFile).groups.flatMap(({ rules }) => rules);
const recorded = rulesOf('recording.rules.yml');
const alerts = rulesOf('alerts.rules.yml');
const cases = (load(read(join(OPS, 'alerts.test.yml'))) as Cases).tests;
const names = alerts.map(({ alert }) => alert as string);

/** What promtool says, and whether it was content. */
function promtool(...args: readonly string[]): Promise<{ readonly code: number; readonly said: string }> {
  return new Promise((resolve) => {
    execFile('promtool', args, { cwd: OPS, maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : 1, said: stdout + stderr });
    });
  });
}

describeWith(['promtool'], 'what Prometheus is given, by its own tool', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'analytics-api-rules-'));
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  it('is a configuration, but for the key that the operator puts there', async () => {
    const key = join(scratch, 'key');
    writeFileSync(key, 'x');
    const config = join(scratch, 'prometheus.yml');
    const text = read(join(OPS, 'prometheus.yml')).replace('/run/secrets/metrics_key', key);
    writeFileSync(config, text.replaceAll(/^ {2}- (\w+\.rules\.yml)$/gm, `  - ${OPS}/$1`));
    expect(await promtool('check', 'config', config)).toMatchObject({ code: 0, said: expect.stringContaining(`${alerts.length} rules`) });
  });

  it('has rules that hold together', async () => {
    expect(await promtool('check', 'rules', '--lint=all', '--lint-fatal', 'recording.rules.yml', 'alerts.rules.yml')).toMatchObject({
      code: 0,
    });
  });

  it(
    'fires each alert on what it is for, and is quiet on what is near to it',
    async () => {
      expect(await promtool('test', 'rules', 'alerts.test.yml')).toEqual({ code: 0, said: expect.stringContaining('SUCCESS') });
    },
    SECONDS * 1000,
  );
});

describe('every alert', () => {
  it('has a case in which it fires and one in which it is quiet', () => {
    const tested = (title: string, fires: boolean): ReadonlySet<string> =>
      new Set(
        cases
          .filter(({ name }) => name.includes(title))
          .flatMap((group) => group.alert_rule_test)
          .filter(({ exp_alerts }) => exp_alerts.length > 0 === fires)
          .map(({ alertname }) => alertname),
      );
    expect([...tested(' fires', true)].sort()).toEqual([...names].sort());
    expect([...tested(' is quiet', false)].sort()).toEqual([...names].sort());
    expect(cases.filter(({ name, alert_rule_test: [test] }) => name.includes(' fires') && test?.exp_alerts.length === 0)).toEqual([]);
  });

  it('says how bad it is, what it is, with its value or its place, and what to do', () => {
    for (const { alert, labels, annotations } of alerts) {
      expect(['critical', 'warning']).toContain(labels?.['severity']);
      expect(annotations?.['summary']?.length).toBeGreaterThan(10);
      const about = alert === 'AnalyticsApiNotScraped' ? /./ : /\{\{ \$(value|labels)/;
      expect([alert, annotations?.['description']]).toEqual([alert, expect.stringMatching(about)]);
      expect(annotations?.['runbook_url']).toBe(`{{ $externalLabels.docs }}/runbooks/${alert}.md`);
    }
  });

  it('has a runbook, and there is none of another', () => {
    const pages = [...names, 'README'].map((name) => `${name}.md`);
    expect(readdirSync(RUNBOOKS).sort()).toEqual(pages.sort());
  });

  it('has another name than the others', () => {
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('every series that a rule names', () => {
  const ours = new Set(recorded.map(({ record }) => record as string));
  const told = new Set([...seriesIn(read(join(ROOT, 'docs', 'METRICS.md'))), ...seriesIn(read(join(ROOT, 'docs', 'BACKUP.md')))]);
  const asked = [...recorded, ...alerts].flatMap(({ expr }) => seriesOf(expr)).filter((name) => name !== 'up');

  it('is told by the service or by another rule', () => {
    expect(asked.length).toBeGreaterThan(80);
    const unknown = asked.filter(
      (name) => !ours.has(name) && !told.has(documentedName(name)) && !told.has(name) && !AWAITED_SERIES.has(name),
    );
    expect([...new Set(unknown)]).toEqual([]);
  });

  it('is of our job, as other services on the same Prometheus have series of the same name', () => {
    for (const { expr } of [...recorded, ...alerts]) {
      const series = [...expr.matchAll(/\b([a-z][a-z0-9_]+)(\{[^}]*\})/g)];
      for (const [text, , labels] of series) expect([text, labels?.includes('job="analytics-api"')]).toEqual([text, true]);
      const without = seriesOf(expr).filter((name) => !name.includes(':') && !new RegExp(String.raw`\b${name}\{`).test(expr));
      expect(without).toEqual([]);
    }
  });
});
