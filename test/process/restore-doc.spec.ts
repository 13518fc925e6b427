import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ServerProcess, Servers } from './server-process';
import { differenceOf, examplesOf } from './shown-answer';

const ROOT = join(__dirname, '../..');
/** Some examples are many processes, one after another. */
const PATIENCE_MS = 90_000;
const SECTION = readFileSync(join(ROOT, 'docs/BACKUP.md'), 'utf8').split(/^## /m).find((section) => section.startsWith('Restore\n')) ?? ''; // prettier-ignore
const EXAMPLES = examplesOf(SECTION);

describe('docs/BACKUP.md on restoring', () => {
  const servers = new Servers();
  const scratch = mkdtempSync(join(tmpdir(), 'restore-doc-'));
  let server: ServerProcess;
  beforeAll(async () => {
    server = await servers.start({ BACKUPS_DIR: join(scratch, 'backups'), BACKUP_SCHEDULE: 'off' });
  }, PATIENCE_MS);
  afterAll(async () => {
    await servers.remove();
    rmSync(scratch, { recursive: true, force: true });
  });

  const run = (commands: string): string => {
    const script = commands
      .replaceAll('http://127.0.0.1:4100', server.origin)
      .replaceAll('npx analytics-api', `"${process.execPath}" dist/main.js`);
    const env = { ...process.env, MODELS_DIR: server.modelsDir, BACKUPS_DIR: join(scratch, 'backups'), TMPDIR: scratch };
    return execFileSync('bash', ['-euo', 'pipefail', '-c', script], {
      cwd: ROOT,
      encoding: 'utf8',
      env,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  };

  it('names every option of the command, and every member of the body', async () => {
    const options = [...run('npx analytics-api backup restore --help').matchAll(/^ {2}(--[a-z-]+)/gm)].map(
      ([, option]) => option as string,
    );
    const ours = options.filter((option) => !['--backups-dir', '--quiet', '--models-dir', '--json'].includes(option));
    const { components } = (await server.get('/docs-json')).body;
    const members = Object.keys(components.schemas.RestoreRequest.properties);
    expect([ours.length, members.length]).toEqual([12, 10]);
    const rows = [...SECTION.matchAll(/^\| .*$/gm)].join('\n');
    expect([...ours, ...members].filter((name) => !rows.includes(`\`${name}`))).toEqual([]);
  });

  it.each(EXAMPLES.map(({ commands, answers }, at) => [at + 1, commands.split('\n')[0] as string, commands, answers] as const))(
    'answers as shown: %i. %s',
    (_at, _title, commands, answers) => {
      const said = run(commands);
      expect(answers.length).toBeGreaterThan(0);
      expect(answers.map((shown) => differenceOf(shown, said)).filter(Boolean)).toEqual([]);
    },
    PATIENCE_MS,
  );
});
