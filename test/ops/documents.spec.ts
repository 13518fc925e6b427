import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import packageJson from '../../package.json';
import { CONFIG_GROUPS } from '../../src/config/app-config';
import { settingsOf } from '../../src/config/setting';
import { AWAITED_SERIES } from './awaited';
import { seriesIn } from './promql';

const ROOT = join(__dirname, '..', '..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const all = (text: string, pattern: RegExp): readonly string[] => [
  ...new Set([...text.matchAll(pattern)].map(([, found]) => found as string)),
];
const inFolder = (folder: string, end: string): readonly string[] =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).flatMap((name) =>
    name.endsWith(end) ? [`${folder}/${name}`] : [],
  );

const PAGES = ['docs/MONITORING.md', 'docs/TROUBLESHOOTING.md', ...inFolder('docs/runbooks', '.md')].filter((path) =>
  existsSync(join(ROOT, path)),
);
const sources = inFolder('src', '.ts')
  .filter((path) => !path.endsWith('.spec.ts'))
  .map(read)
  .join('\n');
const settings = CONFIG_GROUPS.flatMap((group) => settingsOf(group)).map(({ name }) => name);
const asked = all(read('docker-compose.yml'), /\$\{(\w+)/g);
const codes = all(read('docs/ERRORS.md'), /^\| \d{3} \| `(\w+)`/gm);
const commands = all(sources, /\.command\('(\w+)/g);
const recorded = all(read('ops/prometheus/recording.rules.yml'), /record: (\S+)/g);
const series = seriesIn(read('docs/METRICS.md') + read('docs/BACKUP.md'));
const alerts = all(read('ops/prometheus/alerts.rules.yml'), /- alert: (\w+)/g);

/** Paths with a variable part as the sources have them: `{m}`, an example's name and a number are all one. */
const shapeOf = (path: string): string =>
  path.replaceAll(/\{\w+\}|:\w+|(?<=\/models\/)[a-z]\w+|(?<=\/predict\/)[a-z]\w+|(?<=\/versions\/)\d+|latest/g, '*');
const routes = new Set(all(read('test/e2e/auth.e2e-spec.ts'), /'(?:get|post|put|patch|delete) (\/[^']*)'/g).map(shapeOf));

describe.each(PAGES)('%s', (path) => {
  const text = read(path);

  it('links to pages that there are', () => {
    const links = all(text, /\]\(((?!https?:|#)[^)#]+)/g);
    expect(links.filter((link) => !existsSync(join(ROOT, dirname(path), link)))).toEqual([]);
  });

  it('speaks of settings and codes that there are', () => {
    const known = new Set([...settings, ...asked, ...codes, 'MODELS_DIR']);
    const errnos = /^(E[A-Z]{3,}|SIG[A-Z]+|HIT|MISS|COALESCED|BYPASS|READ_ONLY)$/;
    expect(all(text, /`([A-Z][A-Z_]{3,})(?:=[^`]*)?`/g).filter((name) => !known.has(name) && !errnos.test(name))).toEqual([]);
  });

  it('gives commands that there are', () => {
    const ours = all(text, /analytics-api ((?:backup|fsck|keys|examples|[a-z]+) ?[a-z]*)/g).filter((words) =>
      /^(backup|fsck|keys|examples)\b/.test(words),
    );
    const unknown = ours.flatMap((words) => words.trim().split(' ')).filter((word) => ![...commands, 'latest'].includes(word));
    expect(unknown).toEqual([]);
    for (const name of all(text, /npm run ([\w:-]+)/g)) expect(Object.keys(packageJson.scripts)).toContain(name);
  });

  it('asks paths that the service has', () => {
    const paths = all(text, /(?:127\.0\.0\.1:4100|`(?:GET |POST |DELETE |PUT )?)(\/(?:api|v1|v2|health|metrics|docs)\/?[\w/{}.-]*)/g);
    const unknown = paths.filter((asking) => !/^\/v[12]$/.test(asking) && !routes.has(shapeOf(asking)));
    expect(unknown).toEqual([]);
  });

  it('asks for series and alerts that there are', () => {
    const named = all(text, /\b((?:[a-z]+_){2,}[a-z]+)(?=[`{[( ])/g).filter((name) =>
      /_(total|seconds|bytes|state|models|duration|psi|ratio|only|status)$/.test(name),
    );
    const unknown = named.filter((name) => !series.has(name.replace(/_(bucket|sum|count)$/, '')) && !AWAITED_SERIES.has(name));
    expect(unknown).toEqual([]);
    expect(all(text, /\b((?:job|instance):\w+:\w+)/g).filter((name) => !recorded.includes(name))).toEqual([]);
    expect(all(text, /runbooks\/(\w+)\.md/g).filter((name) => name !== 'README' && !alerts.includes(name))).toEqual([]);
  });
});
