import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ServerProcess, Servers } from './server-process';
import { differenceOf, examplesOf } from './shown-answer';

const ROOT = join(__dirname, '../..');
/** Some examples are many processes, one after another. */
const PATIENCE_MS = 90_000;
const DOCUMENT = readFileSync(join(ROOT, 'docs/BACKUP.md'), 'utf8');

/** The text from a heading to the next of its level. */
function sectionOf(heading: string): string {
  return DOCUMENT.split(/^## /m).find((section) => section.startsWith(`${heading}\n`)) ?? '';
}

const SECTIONS = ['Command line', 'Over HTTP'].map((heading) => sectionOf(heading));
const EXAMPLES = SECTIONS.flatMap((section) => examplesOf(section));
/** Those of restoring are run by `restore-doc.spec.ts`. */
const COMMANDS = [...EXAMPLES, ...examplesOf(sectionOf('Restore'))].flatMap(({ commands }) => commands.trimEnd().split('\n'));

describe('docs/BACKUP.md', () => {
  const servers = new Servers();
  const scratch = mkdtempSync(join(tmpdir(), 'backup-doc-'));
  const backups = join(scratch, 'backups');
  let server: ServerProcess;
  beforeAll(async () => void (server = await servers.start({ BACKUPS_DIR: backups, BACKUP_SCHEDULE: 'off' })));
  afterAll(async () => {
    await servers.remove();
    rmSync(scratch, { recursive: true, force: true });
  });

  const run = (commands: string): string => {
    const script = commands
      .replaceAll('http://127.0.0.1:4100', server.origin)
      .replaceAll('npx analytics-api', `"${process.execPath}" dist/main.js`);
    const env = { ...process.env, MODELS_DIR: server.modelsDir, BACKUPS_DIR: backups };
    return execFileSync('bash', ['-euo', 'pipefail', '-c', script], {
      cwd: ROOT,
      encoding: 'utf8',
      env,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  };

  it('has an example of every command that it names', () => {
    const named = new Set([...(SECTIONS[0] as string).matchAll(/^\| .*$/gm)].flatMap(([row]) => row.match(/(?<=`backup )[a-z]+/g) ?? []));
    const told = run('npx analytics-api backup --help').match(/(?<=^ +backup )[a-z]+/gm);
    expect([...named].sort()).toEqual([...new Set(told)].sort());
    const shown = new Set(COMMANDS.flatMap((line) => line.match(/(?<=^npx analytics-api backup )[a-z]+/) ?? []));
    expect([...named].filter((name) => !shown.has(name))).toEqual([]);
  });

  it('has an example of every route that there is', async () => {
    const { paths } = (await server.get('/docs-json')).body as { readonly paths: Readonly<Record<string, object>> };
    const routes = Object.entries(paths).flatMap(([path, item]) =>
      path.startsWith('/api/v1/backups') ? Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`) : [],
    );
    expect(routes.length).toBeGreaterThan(7);
    const asked = COMMANDS.filter((line) => line.startsWith('curl ')).map((line) => {
      const [, path = ''] = /http:\/\/127\.0\.0\.1:4100([^\s"?]*)/.exec(line) ?? [];
      const method = /-X ([A-Z]+)/.exec(line)?.[1] ?? (line.includes(" -d '") ? 'POST' : 'GET');
      return `${method} ${path.replace('/latest', '/{id}')}`;
    });
    const known = new Set(asked);
    expect(routes.filter((route) => !known.has(route))).toEqual([]);
  });

  it.each(EXAMPLES.map(({ commands, answers }, at) => [at + 1, commands.split('\n')[0] as string, commands, answers] as const))(
    'answers as shown: %i. %s',
    (_at, _title, commands, answers) => {
      const said = run(commands);
      expect(answers.length).toBeGreaterThan(0);
      expect(answers.map((answer) => differenceOf(answer, said)).filter(Boolean)).toEqual([]);
    },
    PATIENCE_MS,
  );
});
