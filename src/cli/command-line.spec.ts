import { mkdtempSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EventFields, LOG_START } from '../storage/event-log.port';
import { FileEventLog } from '../storage/file-event.log';
import { EXIT } from './command';
import { runCommand } from './command-line';

const DIGEST = 'a'.repeat(64);
const CREATED = { kind: 'registry.created', lineage: 'line-1', actor: 'system', correlationId: 'c' };
const PUBLISHED = {
  kind: 'version.published',
  model: 'iris',
  version: 1,
  digest: DIGEST,
  executable: DIGEST,
  engine: 'onnx',
  manifest: { files: [{ path: 'model.onnx', size: 3, sha256: DIGEST }], metadata: {} },
  signature: { inputs: [], outputs: [] },
  actor: 'ada',
  correlationId: 'c',
};

interface Run {
  readonly code: number;
  readonly out: readonly string[];
  readonly err: readonly string[];
}

async function run(...args: readonly string[]): Promise<Run> {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runCommand(args, { out: (line) => void out.push(line), err: (line) => void err.push(line) });
  return { code, out, err };
}

describe(runCommand, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'command-'));
  const { MODELS_DIR } = process.env;
  afterEach(() => {
    if (MODELS_DIR === undefined) delete process.env['MODELS_DIR'];
    else process.env['MODELS_DIR'] = MODELS_DIR;
    for (const name of ['MAX_CALLS', 'HOST', 'API_KEYS_FILE']) delete process.env[name];
  });
  afterAll(() => rm(scratch, { recursive: true, force: true }));

  /** A registry of these events. */
  const registry = async (...events: readonly EventFields[]): Promise<string> => {
    const root = await mkdtemp(join(scratch, 'store-'));
    const log = new FileEventLog(root);
    let position = LOG_START;
    for (const event of events) position = (await log.append(position, event)).position;
    return root;
  };

  it('has a different exit code for each outcome, as BK-29 says', () => {
    expect(EXIT).toEqual({ ok: 0, error: 1, partial: 3, noRepository: 10, key: 12, usage: 64, interrupted: 130 });
  });

  describe('asked for help', () => {
    it.each([[['--help']], [['-h']], [['help']], [['--help', 'fsck']], [['nonsense', '-h']]])(
      'tells it, and does nothing (%j)',
      async (args) => {
        process.env['MODELS_DIR'] = await registry(CREATED);
        const { code, out, err } = await run(...args);
        expect({ code, err }).toEqual({ code: 0, err: [] });
        expect(out).toHaveLength(1);
        for (const word of [
          'usage: analytics-api',
          'fsck',
          '--models-dir',
          '--json',
          '--repair',
          'keys create',
          '--scope',
          'MODELS_DIR',
          'example:',
        ]) {
          expect(out[0]).toContain(word);
        }
      },
    );

    it('tells of every command what it does, its options and an example, and does nothing', async () => {
      const { out: all } = await run('--help');
      const commands = [...(all[0] as string).matchAll(/^ {2}([a-z]+(?: [a-z]+)?)(?: [A-Z]+| \[[A-Z]+\])? {2,}\S/gm)].map(
        ([, words]) => words as string,
      );
      expect(commands).toEqual(expect.arrayContaining(['fsck', 'keys create', 'keys revoke', 'examples add']));
      process.env['MODELS_DIR'] = await registry(CREATED);
      for (const command of commands) {
        const { code, out, err } = await run(...command.split(' '), '--help');
        expect({ command, code, err, lines: out.length }).toEqual({ command, code: 0, err: [], lines: 1 });
        for (const word of [
          `usage: analytics-api ${command} `,
          '--models-dir',
          '--json',
          `example: analytics-api ${command}`,
          'MODELS_DIR',
        ])
          expect(out[0]).toContain(word);
        for (const line of (out[0] as string).split('\n')) expect(line.length).toBeLessThanOrEqual(135);
      }
      expect((await run('fsck', '--help')).out[0]).toContain('--repair');
      expect((await run('keys', 'create', '--help')).out[0]).toContain('--scope');
    });

    it('tells of a group what is in it', async () => {
      for (const args of [
        ['keys', '--help'],
        ['help', 'keys'],
      ]) {
        const { code, out } = await run(...args);
        expect({ code, told: out[0]?.includes('keys create'), shown: out[0]?.includes('example: analytics-api keys ') }).toEqual({
          code: 0,
          told: true,
          shown: true,
        });
        expect(out[0]).not.toContain('fsck');
      }
    });

    it('tells every exit code', async () => {
      const { out } = await run('--help');
      for (const code of Object.values(EXIT)) expect(out[0]).toMatch(new RegExp(`\\b${code} [a-z]`));
    });

    it('needs no settings that are right', async () => {
      process.env['MAX_CALLS'] = 'many';
      expect((await run('--help')).code).toBe(0);
    });
  });

  describe('used in the wrong way', () => {
    it.each([
      [['nonsense'], 'There is no command "nonsense"'],
      [['fsck', 'more'], 'There is no command "fsck more"'],
      [['--json'], 'There is no command ""'],
      [['fsck', '--nonsense'], "Unknown option '--nonsense'"],
      [['fsck', '-x'], "Unknown option '-x'"],
      [['fsck', '--models-dir'], "Option '--models-dir <value>' argument missing"],
      [['fsck', '--repair=yes'], "Option '--repair' does not take an argument"],
    ])('says so, and how, with 64 (%j)', async (args, said) => {
      const { code, out, err } = await run(...args);
      expect(code).toBe(64);
      expect(err.join('\n')).toContain(said);
      expect(out.length).toBe(args.includes('--json') ? 1 : 0);
    });

    it.each([
      [['fsk'], 'There is no command "fsk": did you mean fsck?', 'analytics-api --help'],
      [['keys', 'craete'], 'There is no command "keys craete": did you mean create?', 'analytics-api keys --help'],
      [['keys'], 'There is no command "keys"', 'analytics-api keys --help'],
      [['fsck', '--repar'], "Unknown option '--repar': did you mean --repair?", 'analytics-api fsck --help'],
      [['keys', 'revoke'], "Missing required argument 'id'", 'analytics-api keys revoke --help'],
    ])('says what was meant, and where it is told (%j)', async (args, said, where) => {
      expect(await run(...args)).toEqual({ code: 64, out: [], err: [`${said}\n\n${where} tells how it is used`] });
    });

    it('has code and reason in the last line for a machine', async () => {
      const { out } = await run('fsck', '--json', '--nonsense');
      expect(JSON.parse(out.at(-1) as string)).toEqual({ code: 64, reason: expect.stringContaining("Unknown option '--nonsense'") });
      const { out: unknown } = await run('nonsense', '--json');
      expect(JSON.parse(unknown.at(-1) as string)).toEqual({ code: 64, reason: 'There is no command "nonsense"' });
    });
  });

  describe('keys', () => {
    const fresh = (): Promise<string> => mkdtemp(join(scratch, 'keys-'));
    const create = (root: string, ...args: readonly string[]): Promise<Run> =>
      run('keys', 'create', '--models-dir', root, '--name', 'board', ...args);
    const lastOf = ({ out }: Run): Record<string, unknown> => JSON.parse(out.at(-1) as string) as Record<string, unknown>;

    it('create prints the key alone on standard output, and it is in no file', async () => {
      const root = await fresh();
      const { code, out, err } = await create(root);
      expect({ code, lines: out.length, said: err.length }).toEqual({ code: 0, lines: 1, said: 1 });
      expect(out[0]).toMatch(/^aapi_live_[0-9A-Za-z]{8}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$/);
      const secret = out[0]?.split('_')[3] as string;
      expect(err[0]).not.toContain(secret);
      const files = (await readdir(root, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
      expect(files.length).toBeGreaterThan(1);
      for (const { parentPath, name } of files) expect(await readFile(join(parentPath, name), 'utf8')).not.toContain(secret);
    });

    it('create takes scopes, models and times, and list tells them', async () => {
      const root = await fresh();
      const wish = ['--scope', 'promote, predict', '--models', 'iris,fraud-*', '--expires', '2d', '--not-before', '2020-02-03'];
      const made = await create(root, ...wish, '--json');
      const days = (Date.parse(String(lastOf(made)['expiresAt'])) - Date.now()) / 86_400_000;
      expect(days).toBeGreaterThan(1.99);
      expect(days).toBeLessThanOrEqual(2);
      await create(root, '--expires', '2021-01-01');
      await create(root, '--not-before', '30d', '--scope', 'admin');
      const { code, out } = await run('keys', 'list', '--models-dir', root);
      expect(code).toBe(0);
      expect(out).toEqual([
        expect.stringMatching(/^\w{8} board: in force, until 20\S+; promote, predict; models iris, fraud-\*$/),
        expect.stringMatching(/^\w{8} board: expired, until 2021-01-01T00:00:00.000Z; predict, models:read; models all$/),
        expect.stringMatching(/^\w{8} board: not yet in force; admin; models all$/),
        'There are 3 keys',
      ]);
      const listed = await run('keys', 'list', '--json', '--models-dir', root);
      expect(listed.out.join()).not.toContain('sha256');
      expect(lastOf(listed)).toEqual({ code: 0, reason: 'There are 3 keys', keys: 3 });
    });

    it('revoke takes a key out of force, and says with 1 where there is none', async () => {
      const root = await fresh();
      const id = String(lastOf(await create(root, '--json'))['id']);
      expect(await run('keys', 'revoke', id, '--models-dir', root)).toMatchObject({ code: 0, out: [expect.stringContaining(id)] });
      expect((await run('keys', 'list', '--models-dir', root)).out[0]).toContain('revoked');
      expect(lastOf(await run('keys', 'revoke', 'nosuchid', '--json', '--models-dir', root))).toMatchObject({ code: 1 });
    });

    it('verify names the event that was tampered with, with 1', async () => {
      const root = await fresh();
      for (let at = 0; at < 3; at++) await create(root);
      expect(await run('keys', 'verify', '--models-dir', root)).toMatchObject({ code: 0, out: ['The audit trail is whole: 3 events'] });
      const event = join(root, 'auth', 'audit', 'log', `${'2'.padStart(20, '0')}.json`);
      await rm(event);
      expect(await run('keys', 'verify', '--models-dir', root)).toMatchObject({
        code: 1,
        out: [expect.stringMatching(/damaged: Event 2 /)],
      });
    });

    it('say what is wrong with an option, with 64, and make nothing', async () => {
      const root = await fresh();
      for (const [args, said] of [
        [['--scope', 'everything'], '--scope: "everything"'],
        [['--scope', ''], '--scope: ""'],
        [['--models', 'i*s'], '--models: "i*s"'],
        [['--expires', 'soon'], '--expires: "soon"'],
        [['--expires', '0d'], '--expires: "0d"'],
        [['--not-before', '5'], '--not-before: "5"'],
        [['--name', 'no name'], '--name'],
        [['--repair'], "Unknown option '--repair'"],
        [['more'], 'There is no command "keys create more"'],
      ] as const) {
        const { code, err } = await create(root, ...args);
        expect({ args, code }).toEqual({ args, code: 64 });
        expect(err.join()).toContain(said);
      }
      expect(await run('keys', 'create', '--models-dir', root)).toMatchObject({ code: 64, err: [expect.stringContaining('--name')] });
      expect(await run('keys', 'revoke', '--models-dir', root)).toMatchObject({ code: 64 });
      expect(await readdir(root)).toEqual([]);
    });

    it('take the file that the server reads, also where the server could not start', async () => {
      const root = await fresh();
      process.env['HOST'] = '0.0.0.0';
      process.env['API_KEYS_FILE'] = join(root, 'elsewhere.json');
      expect((await create(root)).code).toBe(0);
      expect(await readdir(root)).toContain('elsewhere.json');
    });
  });

  it('names the setting that is wrong, with 1', async () => {
    process.env['MAX_CALLS'] = 'many';
    const { code, out, err } = await run('fsck', '--json', '--models-dir', scratch);
    expect(code).toBe(1);
    expect(err.join('\n')).toContain('MAX_CALLS=many');
    expect(JSON.parse(out.at(-1) as string)).toMatchObject({ code: 1, reason: expect.any(String) });
  });

  describe('fsck', () => {
    it('says that all is well', async () => {
      const root = await registry(CREATED);
      const { code, out, err } = await run('fsck', '--models-dir', root);
      expect({ code, err }).toEqual({ code: 0, err: [] });
      expect(out).toEqual(['All is well: 0 fatal, 0 damaged, 0 repaired, 0 to note']);
    });

    it('says that versions are damaged, each in a line for people', async () => {
      const root = await registry(CREATED, PUBLISHED);
      const { code, out } = await run('fsck', '--models-dir', root);
      expect(code).toBe(3);
      expect(out).toEqual([
        `damage BLOB_MISSING ${DIGEST}: it is not there; needed by iris 1`,
        'Versions are damaged: 0 fatal, 1 damaged, 0 repaired, 0 to note',
      ]);
    });

    it('says that the history is damaged, also where versions are: the worst decides', async () => {
      const root = await registry(CREATED, PUBLISHED);
      await writeFile(join(root, 'log', `${'3'.padStart(20, '0')}.json`), 'junk');
      const { code, out } = await run('fsck', '--models-dir', root);
      expect(code).toBe(1);
      expect(out).toHaveLength(3);
      expect(out.at(-1)).toBe('The history is damaged: 1 fatal, 1 damaged, 0 repaired, 0 to note');
    });

    it('is well where there is only something to note', async () => {
      const root = await registry(CREATED);
      await writeFile(join(root, 'log', 'README.txt'), '');
      const { code, out } = await run('fsck', '--models-dir', root);
      expect(code).toBe(0);
      expect(out).toEqual([
        'note   FOREIGN_FILE log/README.txt: nothing of this registry; it is passed over',
        'All is well: 0 fatal, 0 damaged, 0 repaired, 1 to note',
      ]);
    });

    it('says for people what it mended', async () => {
      const root = await registry(CREATED);
      const log = new FileEventLog(root);
      for await (const { position } of log.read(LOG_START)) await log.saveCheckpoint({ position, state: {} });
      const { code, out } = await run('fsck', '--repair', '--models-dir', root);
      expect(code).toBe(0);
      expect(out).toEqual([
        'note   CHECKPOINT_UNTRUSTED checkpoint 1: it says something else than the events -> written again from the events',
        'All is well: 0 fatal, 0 damaged, 1 repaired, 0 to note',
      ]);
      expect((await run('fsck', '--models-dir', root)).out).toHaveLength(1);
    });

    it.each([
      [0, [CREATED], 'All is well: '],
      [3, [CREATED, PUBLISHED], 'Versions are damaged: '],
      [1, [PUBLISHED, { ...PUBLISHED, manifest: null }], 'The history is damaged: '],
      [10, [], 'There is no registry in '],
    ])('writes for machines lines of JSON, the last with code and reason (%i)', async (expected, events, reason) => {
      const { code, out, err } = await run('fsck', '--json', '--models-dir', await registry(...events));
      expect({ code, err }).toEqual({ code: expected, err: [] });
      const lines = out.map((line) => JSON.parse(line) as Record<string, unknown>);
      expect(lines.at(-1)).toMatchObject({ code: expected, reason: expect.stringMatching(new RegExp(`^${reason}`)) });
      for (const line of lines.slice(0, -1)) {
        expect(Object.keys(line).sort()).toEqual(['code', 'detail', 'severity', 'subject']);
      }
    });

    it('takes the folder from the environment, and the option before it', async () => {
      const [here, there] = [await registry(CREATED), await registry(CREATED, PUBLISHED)];
      process.env['MODELS_DIR'] = there;
      expect((await run('fsck')).code).toBe(3);
      expect((await run('fsck', '--models-dir', here)).code).toBe(0);
      expect((await run('fsck', `--models-dir=${here}`)).code).toBe(0);
      expect((await run('fsck', '--models-dir', '')).code).toBe(3); // as `--models-dir "$NOT_SET"` says it
    });

    it('says that there is no registry, with 10, and makes none', async () => {
      const nowhere = join(scratch, 'nowhere');
      const empty = await registry();
      for (const root of [nowhere, empty]) {
        const { code, out } = await run('fsck', '--repair', '--models-dir', root);
        expect(code).toBe(10);
        expect(out).toEqual([`There is no registry in ${root}`]);
      }
      expect(await readdir(empty)).toEqual([]);
      expect(await readdir(scratch)).not.toContain('nowhere');
    });
  });
});
