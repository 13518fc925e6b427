import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { Logger } from '@nestjs/common';
import { BackupHouse, flipBit, KEY, OTHER_KEY } from '../../test/backup/backup-house';
import type { CommandOutput } from './command';
import { runCommand } from './command-line';

interface Run {
  readonly code: number;
  readonly out: readonly string[];
  readonly err: readonly string[];
  /** The last line, of a run with --json. */
  readonly last: Record<string, any>; // oxlint-disable-line typescript/no-explicit-any
}

const SETTINGS = ['BACKUP_KEY_FILE', 'BACKUP_ENCRYPT', 'BACKUP_KEEP_DAILY', 'BACKUP_KEEP_LAST', 'MODELS_DIR', 'BACKUPS_DIR'] as const;
const KEPT = SETTINGS.map((name) => [name, process.env[name]] as const);

function setSetting(name: string, value: string | undefined): void {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
}

describe('backup', () => {
  let house: BackupHouse;
  const scratch = mkdtempSync(join(tmpdir(), 'backup-command-'));
  beforeAll(() => Logger.overrideLogger(false));
  beforeEach(async () => {
    house = await BackupHouse.fresh();
    await house.publish('iris', 'the weights of iris');
    await house.publish('market', 'the weights of market');
    [process.env['MODELS_DIR'], process.env['BACKUPS_DIR']] = [house.models, house.backups];
  });
  afterEach(async () => {
    for (const [name, value] of KEPT) setSetting(name, value);
    await house.remove();
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  async function backup(args: readonly string[], more: Partial<CommandOutput> = {}, signal?: AbortSignal): Promise<Run> {
    const [out, err]: [string[], string[]] = [[], []];
    const output = { out: (line: string) => void out.push(line), err: (line: string) => void err.push(line), ...more };
    const code = await runCommand(['backup', ...args], output, signal);
    const last = args.includes('--json') ? JSON.parse(out.at(-1) ?? err.at(-1) ?? '{}') : {};
    return { code, out, err, last };
  }

  const taken = async (...args: readonly string[]): Promise<string> => {
    const { code, last } = await backup(['run', '--json', ...args]);
    expect(code).toBe(0);
    return last['snapshot'].id;
  };

  /** Where the first blob of a snapshot lies. */
  const blobOf = (id: string): string => {
    const { objects } = JSON.parse(readFileSync(join(house.backups, 'snapshots', `${id}.json`), 'utf8'));
    return house.pathOf(objects.find(({ kind }: { readonly kind: string }) => kind === 'blob').stored);
  };

  it('run says what was taken, how far it is, and loudly what is unsigned', async () => {
    const { code, out, err } = await backup(['run']);
    expect([code, out]).toEqual([
      0,
      [expect.stringMatching(/^The snapshot \S+ is taken: 3 objects, [\d.]+ KiB, of which [\d.]+ KiB are new$/)],
    ]);
    expect(err.some((line) => /^copying: \d of \d objects, [\d.]+ \w+ of [\d.]+ \w+, \d+ %/.test(line))).toBe(true);
    expect(err.at(-1)).toMatch(/^UNSIGNED/);
    const quiet = await backup(['run', '--quiet']);
    expect(quiet).toMatchObject({ code: 0, err: [expect.stringMatching(/^UNSIGNED/)] });
    const json = await backup(['run', '--json']);
    expect(json).toMatchObject({
      code: 0,
      err: [],
      last: { code: 0, reason: expect.any(String), snapshot: { signed: false, objects: 3 } },
    });
  });

  it('run writes over one line where somebody watches, and takes it away', async () => {
    let seen = '';
    const { err } = await backup(['run'], { terminal: (text) => void (seen += text) });
    expect(seen).toContain('\r\u001b[Kcopying: ');
    expect(seen.endsWith('\r\u001b[K')).toBe(true);
    expect(err).toEqual([expect.stringMatching(/^UNSIGNED/)]);
  });

  it('list and show tell in 100 columns what there is', async () => {
    const first = await taken();
    await house.publish('iris', 'better weights');
    const second = await taken();
    const { code, out, err } = await backup(['list']);
    expect(code).toBe(0);
    expect(out).toEqual([
      expect.stringMatching(/^ID +TAKEN \(UTC\) +SIZE +NEW +STATE$/),
      expect.stringMatching(new RegExp(`^${second} .* UNSIGNED, unverified$`)),
      expect.stringMatching(new RegExp(`^${first} .* UNSIGNED, unverified$`)),
      '2 snapshots',
    ]);
    for (const line of out) expect(line.length).toBeLessThanOrEqual(100);
    expect(err).toEqual([expect.stringMatching(/^UNSIGNED/)]);
    const shown = await backup(['show', 'latest']);
    expect(shown.out).toEqual(
      expect.arrayContaining([
        expect.stringMatching(new RegExp(`^id +${second}$`)),
        expect.stringMatching(/^verified +never$/),
        expect.stringMatching(/^iris +2 +staging +[0-9a-f]{16}$/),
      ]),
    );
    expect((await backup(['show', first, '--json'])).out.map((line) => JSON.parse(line))[0]).toMatchObject({
      id: first,
      models: [{ name: 'iris', versions: [{ version: 1 }] }, { name: 'market' }],
    });
  });

  it('verify names what is damaged, with 3, and so do list, show and export; --rehash heals', async () => {
    const id = await taken();
    expect(await backup(['verify'])).toMatchObject({ code: 0, out: [expect.stringMatching(/^All is well: 1 snapshot, 3 objects/)] });
    expect((await backup(['list'])).out[1]).toMatch(/UNSIGNED, verified$/);
    await flipBit(blobOf(id), 3, 1);
    const { code, out, last } = await backup(['verify', '--json']);
    expect({ code, lines: out.length }).toEqual({ code: 3, lines: 2 });
    expect(JSON.parse(out[0] as string)).toMatchObject({ snapshot: id, object: expect.stringMatching(/^blobs\//), problem: 'digest' });
    expect(last).toMatchObject({ code: 3, reason: expect.stringMatching(/^1 finding/), findings: 1 });
    for (const args of [['list'], ['show', id]]) {
      const told = await backup(args);
      expect([told.code, told.out.join('\n')]).toEqual([3, expect.stringContaining('DAMAGED')]);
    }
    const file = join(scratch, 'damaged.tar.gz');
    expect(await backup(['export', id, '--output', file, '--json'])).toMatchObject({ code: 3, last: { error: 'SNAPSHOT_DAMAGED' } });
    expect(readdirSync(scratch)).toEqual([]);
    await taken('--rehash');
    expect((await backup(['verify', id])).code).toBe(0);
  });

  it('verify reads every object once in t parts', async () => {
    const id = await taken();
    let read = 0;
    for (const part of ['1/3', '2/3', '3/3']) read += (await backup(['verify', id, '--subset', part, '--json'])).last['objectsRead'];
    expect(read).toBe(3);
    expect((await backup(['verify', '--all', '--level', 'structure', '--json'])).last).toMatchObject({
      code: 0,
      objectsRead: 0,
      bytesRead: 0,
    });
  });

  it('prune does what its dry run says; delete and undelete do and undo it', async () => {
    process.env['BACKUP_KEEP_DAILY'] = '0';
    process.env['BACKUP_KEEP_LAST'] = '1';
    const [first, second] = [await taken(), await taken()];
    await backup(['verify', '--all']);
    const plan = await backup(['prune', '--dry-run']);
    expect(plan.out).toEqual([
      expect.stringMatching(new RegExp(`^keep   ${second}  `)),
      expect.stringMatching(new RegExp(`^delete ${first}  superseded$`)),
      'Would delete 1 snapshot, remove 0 objects, 0 B',
    ]);
    const json = await backup(['prune', '--dry-run', '--json']);
    expect(JSON.parse(json.out[0] as string)).toMatchObject({ delete: [first], snapshots: [{ keep: true }, { keep: false }] });
    expect((await backup(['prune', '--json'])).last).toMatchObject({ code: 0, deleted: [first], removed: 0 });
    expect((await backup(['list'])).out.join('\n')).not.toContain(first);
    expect((await backup(['list', '--deleted'])).out.join('\n')).toMatch(new RegExp(`^${first} .* deleted, UNSIGNED$`, 'm'));
    expect(await backup(['undelete', 'latest'])).toMatchObject({ code: 0, out: [expect.stringContaining(first)] });
    expect((await backup(['delete', first, '--reason', 'a slip', '--json'])).last).toMatchObject({ code: 0, snapshot: first });
    expect((await backup(['show', first])).out).toContainEqual(expect.stringMatching(/^deleted .*: a slip$/));
  });

  it('export writes what tar opens and sha256sum bears out, to a file or to standard output, the same bytes', async () => {
    const id = await taken();
    const folder = mkdtempSync(join(scratch, 'export-'));
    const file = join(folder, 'archive.tar.gz');
    const { last } = await backup(['export', id, '--output', file, '--json']);
    expect(execFileSync('sha256sum', [file], { encoding: 'utf8' })).toContain(last['sha256']);
    execFileSync('tar', ['-xzf', file], { cwd: folder });
    execFileSync('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], { cwd: folder });
    expect(readdirSync(join(folder, 'models')).sort()).toEqual(
      ['iris', 'iris', 'market'].filter((name, at, all) => all.indexOf(name) === at),
    );
    const bytes = new PassThrough();
    const [piped, run] = await Promise.all([
      buffer(bytes),
      backup(['export', 'latest', '--output', '-', '--json'], { bytes }).finally(() => bytes.end()),
    ]);
    expect(piped.equals(readFileSync(file))).toBe(true);
    expect({ code: run.code, out: run.out }).toEqual({ code: 0, out: [] }); // the archive has standard output to itself
    expect(await backup(['export', id, '--output', file])).toMatchObject({
      code: 1,
      err: [expect.stringContaining('nothing is written over it')],
    });
    expect(readdirSync(folder).filter((name) => name.includes('partial'))).toEqual([]);
  });

  it('has an exit code of its own for each way it can end, and its last line says the same with a reason', async () => {
    await taken();
    const key = join(house.root, 'key');
    writeFileSync(key, KEY, { mode: 0o600 });
    const occupied = join(house.root, 'occupied');
    writeFileSync(occupied, '');
    const ends: readonly (readonly [code: number, args: readonly string[], env?: Readonly<Record<string, string>>, error?: string])[] = [
      [0, ['verify', '--allow-unsigned'], { BACKUP_KEY_FILE: key }],
      [1, ['show', '20261123T030000Z-42-0f3a'], {}, 'SNAPSHOT_NOT_FOUND'],
      [1, ['list'], { BACKUP_KEEP_LAST: 'many' }],
      [1, ['prune'], { BACKUP_KEEP_DAILY: '0' }, 'BAD_CONFIGURATION'],
      [1, ['undelete', 'latest'], {}, 'SNAPSHOT_NOT_FOUND'],
      [1, ['export', 'latest', '--output', occupied]],
      [1, ['export', 'latest', '--output', join(house.root, 'no', 'such', 'folder')]],
      [10, ['list'], { BACKUPS_DIR: '/nowhere' }],
      [10, ['verify'], { BACKUPS_DIR: '/nowhere' }],
      [10, ['prune'], { BACKUPS_DIR: '/nowhere' }],
      [10, ['run'], { MODELS_DIR: '/nowhere' }],
      [12, ['run'], { BACKUP_KEY_FILE: '/nowhere/key' }, 'SNAPSHOT_FAILED'],
      [12, ['verify'], { BACKUP_KEY_FILE: '/nowhere/key' }, 'BACKUP_KEY_REFUSED'],
      [12, ['verify'], { BACKUP_KEY_FILE: key }, 'SNAPSHOT_UNSIGNED'],
      [64, ['verify', '--level', 'all']],
      [64, ['verify', '--subset', '8/7']],
      [64, ['verify', '--subset', '1/7', '--level', 'structure']],
      [64, ['verify', 'latest', '--all']],
      [64, ['show']],
      [64, ['show', 'yesterday']],
      [64, ['run', '--backups-dir', join(house.models, 'backups')]],
      [64, ['list', '--backups-dir', house.models]],
      [64, ['lsit']],
      [64, []],
    ];
    for (const [code, args, env = {}, error] of ends) {
      const before = Object.keys(env).map((name) => [name, process.env[name]] as const);
      Object.assign(process.env, env);
      const run = await backup([...args, '--json']);
      for (const [name, value] of before) setSetting(name, value);
      expect({ args, env, code: run.code, last: run.last }).toEqual({
        ...{ args, env, code },
        last: expect.objectContaining({ code, reason: expect.stringMatching(/\w/), ...(error !== undefined && { error }) }),
      });
    }
  });

  it('has 12 for another key, and writes nothing then', async () => {
    const key = join(house.root, 'key');
    writeFileSync(key, KEY, { mode: 0o600 });
    Object.assign(process.env, { BACKUP_KEY_FILE: key, BACKUP_ENCRYPT: 'on' });
    await taken();
    expect((await backup(['list'])).out[1]).toMatch(/ encrypted, unverified$/);
    expect((await backup(['verify'])).code).toBe(0);
    writeFileSync(key, OTHER_KEY);
    const before = readdirSync(house.backups, { recursive: true }).sort();
    for (const args of [['verify'], ['export', 'latest', '--output', join(scratch, 'never.tar.gz')]])
      expect((await backup([...args, '--json'])).last).toMatchObject({ code: 12, error: 'BACKUP_KEY_WRONG' });
    expect(readdirSync(house.backups, { recursive: true }).sort()).toEqual(before);
  });

  it('has 130 for Ctrl-C, at whatever step, and leaves nothing half done', async () => {
    await taken();
    const told = (): readonly string[] => ['log', 'snapshots', '.staging'].flatMap((name) => readdirSync(join(house.backups, name)).sort());
    const before = told();
    for (const phase of ['preparing', 'reading', 'copying', 'describing']) {
      const stop = new AbortController();
      const err = (line: string): void => void (line.startsWith(phase) && stop.abort());
      const { code } = await backup(['run', '--rehash'], { err }, stop.signal);
      expect({ phase, code }).toEqual({ phase, code: 130 });
    }
    expect(told()).toEqual(before); // an object that no snapshot names is collected by the next prune
    const stop = new AbortController();
    const folder = mkdtempSync(join(scratch, 'interrupted-'));
    const exported = await backup(['export', 'latest', '--output', join(folder, 'x.tar.gz')], { err: () => stop.abort() }, stop.signal);
    expect([exported.code, readdirSync(folder)]).toEqual([130, []]);
    expect((await backup(['verify', '--all'])).code).toBe(0);
  });
});
