import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { BackupHouse, flipBit, KEY, OTHER_KEY } from '../../test/backup/backup-house';
import { runCommand } from './command-line';

interface Run {
  readonly code: number;
  readonly out: readonly string[];
  readonly err: readonly string[];
  /** The last line, of a run with --json. */
  readonly last: Record<string, any>; // oxlint-disable-line typescript/no-explicit-any
}

const SETTINGS = ['BACKUP_KEY_FILE', 'BACKUP_ENCRYPT', 'MODELS_DIR', 'BACKUPS_DIR'] as const;
const KEPT = SETTINGS.map((name) => [name, process.env[name]] as const);
const change = { actor: 'ada' };

describe('backup restore', () => {
  let house: BackupHouse;
  let scratch: string;
  let id: string;

  beforeAll(() => Logger.overrideLogger(false));
  beforeEach(async () => {
    scratch = mkdtempSync(join(tmpdir(), 'restore-command-'));
    await housed(await BackupHouse.fresh());
  });
  afterEach(async () => {
    for (const [name, value] of KEPT) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    await house.remove();
    rmSync(scratch, { recursive: true, force: true });
  });

  /** iris: 1 in production, then a snapshot; then 2 is promoted by mistake, and market is published. */
  async function housed(fresh: BackupHouse): Promise<void> {
    house = fresh;
    [process.env['MODELS_DIR'], process.env['BACKUPS_DIR']] = [house.models, house.backups];
    await house.publish('iris', 'the weights of iris');
    await house.registry.stages.move('iris', 1, 'production', change);
    ({ id } = await house.take());
    await house.publish('iris', 'worse weights');
    await house.registry.stages.move('iris', 2, 'production', change);
    await house.publish('market', 'the weights of market');
  }

  async function restore(args: readonly string[], signal?: AbortSignal, tell?: (line: string) => void): Promise<Run> {
    const [out, err]: [string[], string[]] = [[], []];
    const told = (line: string): void => {
      err.push(line);
      tell?.(line);
    };
    const code = await runCommand(['backup', 'restore', ...args], { out: (line) => void out.push(line), err: told }, signal);
    const last = args.includes('--json') ? JSON.parse(out.at(-1) ?? '{}') : {};
    return { code, out, err, last };
  }

  async function exported(): Promise<string> {
    const file = join(scratch, 'export.tar.gz');
    expect(await runCommand(['backup', 'export', id, '--output', file], { out: () => {}, err: () => {} })).toBe(0);
    return file;
  }

  /** What a registry is, read from its log by a process that knows nothing yet. */
  async function seen(root = house.root): Promise<object> {
    const { registry } = await BackupHouse.on(root);
    return Object.fromEntries(registry.state.list().map(({ name, production, versions }) => [name, [production?.version, versions.size]]));
  }

  const WRONG = { iris: [2, 2], market: [undefined, 1] };
  const RIGHT = { iris: [1, 1] };
  const snapshots = async (): Promise<number> => (await house.inventory.list()).length;

  it('without --yes tells what it would change, a line a model, and changes nothing', async () => {
    const { code, out, err } = await restore(['latest']);
    const { seq } = house.registry.state.position;
    expect({ code, out }).toEqual({
      code: 64,
      out: [
        expect.stringMatching(new RegExp(`^${id}, taken [-0-9]+ [0-9:]+ \\(UTC\\), signature unsigned$`)),
        'MODEL   WHAT     PRODUCTION  VERSIONS               ALIASES',
        'iris    changes  2 -> 1      gone 2; other stage 1',
        'market  goes     stays       gone 1',
        'copied: 0 blobs, 0 B',
        `Nothing was changed; it would change 2 models and copy 0 B: --yes --at-event ${seq} does this, or nothing`,
      ],
    });
    for (const line of out.slice(0, -1)) expect(line.length).toBeLessThanOrEqual(100);
    expect(err.at(-1)).toMatch(/^UNSIGNED/);
    expect(await restore(['latest', '--dry-run'])).toMatchObject({ code: 0 });
    expect(await restore(['latest', '--dry-run', '--yes'])).toMatchObject({ code: 0 });
    expect([await seen(), await snapshots()]).toEqual([WRONG, 1]);
  });

  it('does what its plan says, as JSON too, and names the snapshot that undoes it', async () => {
    const plan = await restore([id, '--dry-run', '--json']);
    const planned = JSON.parse(plan.out[0] as string);
    expect(plan).toMatchObject({ err: [], last: { code: 0, reason: expect.any(String), snapshot: id, seq: planned.seq } });
    const { code, out, last, err } = await restore([id, '--yes', '--at-event', String(planned.seq), '--reason', 'a slip', '--json']);
    expect({ code, err, lines: out.length }).toEqual({ code: 0, err: [], lines: 2 });
    expect(JSON.parse(out[0] as string)).toEqual({ ...planned, event: planned.seq + 1, safety: last['safety'] });
    expect(await seen()).toEqual(RIGHT);
    const { events } = (await BackupHouse.on(house.root)).registry.state.require('iris');
    expect(await house.registry.log.event(events.at(-1) as number)).toMatchObject({
      kind: 'registry.restored',
      reason: 'a slip',
      actor: expect.stringMatching(/^cli:/),
    });
    expect(await restore([last['safety'], '--yes'])).toMatchObject({ code: 0 });
    expect(await seen()).toEqual(WRONG);
  });

  it('tells how far it is, and where somebody watches on one line', async () => {
    const { err } = await restore([id, '--yes']);
    expect(err[0]).toMatch(/^copying: \d of \d objects/);
    expect((await restore([id, '--yes', '--quiet'])).err).toEqual([expect.stringMatching(/^UNSIGNED/)]);
  });

  it('of `latest` repeated does the same: what it took for safety is not meant', async () => {
    for (let time = 0; time < 2; time++) expect(await restore(['latest', '--yes'])).toMatchObject({ code: 0 });
    expect(await seen()).toEqual(RIGHT);
    expect((await restore(['latest', '--yes', '--no-safety', '--json'])).last).not.toHaveProperty('safety');
  });

  it('brings back a model or a version, and says what is in the way and what helps', async () => {
    const { code, err } = await restore(['latest', '--model', 'iris', '--yes']);
    expect({ code, err: err.slice(-3) }).toEqual({
      code: 1,
      err: [
        'CONFLICT iris: production is version 2 here, version 1 in the snapshot',
        '--conflicts skip leaves what is here, --conflicts new-version gives what comes back another number',
        'Nothing was restored: production of iris is another one here',
      ],
    });
    const json = await restore(['latest', '--model', 'iris', '--yes', '--json']);
    expect(json.last).toMatchObject({ code: 1, error: 'RESTORE_CONFLICT', conflicts: [{ what: 'production' }] });
    const skipped = await restore(['latest', '--model', 'iris', '--conflicts', 'skip', '--yes']);
    expect(skipped.out).toContain('CONFLICT iris: production is version 2 here, version 1 in the snapshot');
    await house.registry.journal.readOn();
    await house.registry.deletion.deleteVersion('iris', 1, change);
    expect(await restore(['latest', '--model', 'iris', '--version', '1', '--yes'])).toMatchObject({ code: 0 });
    expect(await seen()).toEqual(WRONG);
  });

  describe('into an empty place', () => {
    const place = (): string => join(scratch, 'place');
    const into = (): readonly string[] => ['--models-dir', join(place(), 'models')];

    it('lays the whole registry out, from a snapshot or an export', async () => {
      for (const source of [[id], ['--from', await exported()]]) {
        const planned = await restore([...source, ...into()]);
        expect({ code: planned.code, there: readdirSync(scratch) }).toEqual({ code: 64, there: expect.not.arrayContaining(['place']) });
        expect(await restore([...source, ...into(), '--yes', '--at-event', '0'])).toMatchObject({ code: 0 });
        expect(await seen(place())).toEqual(RIGHT);
        await rm(place(), { recursive: true });
      }
    });

    it('needs a history for a part of one, and begins it', async () => {
      expect(await restore([id, ...into(), '--model', 'iris', '--yes', '--at-event', '0'])).toMatchObject({ code: 0 });
      expect(await seen(place())).toEqual(RIGHT);
      expect(await snapshots()).toBe(1); // there was nothing to save
    });

    it('is none where a plan knew of a registry', async () => {
      expect((await restore([id, ...into(), '--yes', '--at-event', '7', '--json'])).last).toMatchObject({ error: 'RESTORE_PLAN_OUTDATED' });
      expect(readdirSync(scratch)).toEqual([]);
    });

    it('is restored into where the log of the backups is lost', async () => {
      await rm(join(house.backups, 'log'), { recursive: true });
      expect(await restore(['latest', ...into(), '--yes'])).toMatchObject({ code: 0 });
      expect(await seen(place())).toEqual(RIGHT);
    });
  });

  it('of an export restores into the registry that is there, and says what of it is damaged', async () => {
    const file = await exported();
    expect(await restore(['--from', file, '--yes'])).toMatchObject({ code: 0 });
    expect(await seen()).toEqual(RIGHT);
    writeFileSync(file, readFileSync(file).subarray(0, 300));
    expect((await restore(['--from', file, '--yes', '--json'])).last).toMatchObject({ code: 1, error: 'ARCHIVE_REFUSED' });
    expect(readdirSync(join(house.models, '.staging'))).toEqual([]);
  });

  it('of a damaged snapshot lists what is damaged and lost, with 3, and restores the rest with --partial', async () => {
    await house.registry.stages.move('iris', 1, 'production', change);
    await house.publish('fraud', 'the weights of fraud');
    ({ id } = await house.take());
    const [blob] = house.registry.state.requireVersion('fraud', 1).blobs as readonly [string];
    await flipBit(house.pathOf(blob), 1, 1);
    const into = ['--models-dir', join(scratch, 'place', 'models')];
    const refused = await restore([id, ...into, '--yes']);
    expect({ code: refused.code, err: refused.err.slice(-4, -1) }).toEqual({
      code: 3,
      err: [
        expect.stringContaining(`DAMAGED blobs/sha256/${blob.slice(0, 2)}/${blob}: `),
        'LOST version 1 of fraud',
        '--partial restores the versions that are whole',
      ],
    });
    expect(await restore([id, ...into, '--dry-run'])).toMatchObject({ code: 3, out: expect.arrayContaining(['LOST version 1 of fraud']) });
    expect((await restore([id, ...into, '--yes', '--json'])).last).toMatchObject({ error: 'RESTORE_DAMAGED', lost: [{ model: 'fraud' }] });
    const { code, out } = await restore([id, ...into, '--yes', '--partial']);
    expect({ code, last: out.at(-1) }).toEqual({ code: 3, last: expect.stringContaining('1 version LOST') });
    expect(await seen(join(scratch, 'place'))).toMatchObject({ iris: [1, 2], fraud: [undefined, 0] });
  });

  it('has an exit code of its own for each way it can end, and its last line says the same with a reason', async () => {
    const key = join(scratch, 'key');
    writeFileSync(key, KEY, { mode: 0o600 });
    const ends: readonly (readonly [code: number, args: readonly string[], env?: Readonly<Record<string, string>>, error?: string])[] = [
      [1, ['20261123T030000Z-42-0f3a', '--yes'], {}, 'SNAPSHOT_NOT_FOUND'],
      [1, ['latest', '--yes', '--at-event', '1'], {}, 'RESTORE_PLAN_OUTDATED'],
      [1, ['latest', '--yes', '--model', 'nothing'], {}, 'NOT_IN_SNAPSHOT'],
      [1, ['latest', '--yes', '--model', 'iris', '--version', '9'], {}, 'NOT_IN_SNAPSHOT'],
      [10, ['latest', '--yes'], { BACKUPS_DIR: '/nowhere' }],
      [10, ['--from', '/nowhere.tar.gz', '--yes']],
      [12, ['latest', '--yes'], { BACKUP_KEY_FILE: '/nowhere/key' }, 'BACKUP_KEY_REFUSED'],
      [12, ['latest', '--yes'], { BACKUP_KEY_FILE: key }, 'SNAPSHOT_UNSIGNED'],
      [12, ['latest'], { BACKUP_KEY_FILE: key }, 'SNAPSHOT_UNSIGNED'],
      [64, ['latest']],
      [64, []],
      [64, ['yesterday', '--yes']],
      [64, ['latest', '--from', 'x.tar.gz', '--yes']],
      [64, ['latest', '--version', '1', '--yes']],
      [64, ['latest', '--conflicts', 'skip', '--yes']],
      [64, ['latest', '--model', 'iris', '--conflicts', 'overwrite', '--yes']],
      [64, ['latest', '--model', 'iris', '--version', 'one', '--yes']],
      [64, ['latest', '--model', 'iris', '--version', '0', '--yes']],
      [64, ['latest', '--at-event', '-1', '--yes']],
      [64, ['latest', '--yes', '--overwrite']],
    ];
    for (const [code, args, env = {}, error] of ends) {
      const before = SETTINGS.map((name) => [name, process.env[name]] as const);
      Object.assign(process.env, env);
      const run = await restore([...args, '--json']);
      for (const [name, value] of before) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
      expect({ args, env, code: run.code, last: run.last }).toEqual({
        ...{ args, env, code },
        last: expect.objectContaining({ code, reason: expect.stringMatching(/\w/), ...(error !== undefined && { error }) }),
      });
    }
    expect([await seen(), await snapshots()]).toEqual([WRONG, 1]);
    process.env['BACKUP_KEY_FILE'] = key;
    expect(await restore(['latest', '--allow-unsigned', '--yes'])).toMatchObject({ code: 0 });
  });

  it('of what was encrypted needs the key, with 12, and restores it', async () => {
    await house.remove();
    await housed(await BackupHouse.fresh({ key: KEY, encrypt: true }));
    const key = join(scratch, 'key');
    writeFileSync(key, OTHER_KEY, { mode: 0o600 });
    process.env['BACKUP_KEY_FILE'] = key;
    expect((await restore([id, '--yes', '--json'])).last).toMatchObject({ code: 12, error: 'BACKUP_KEY_WRONG' });
    delete process.env['BACKUP_KEY_FILE'];
    expect((await restore([id, '--yes', '--json'])).last).toMatchObject({ code: 12, error: 'BACKUP_KEY_WRONG' });
    expect(await seen()).toEqual(WRONG);
    writeFileSync(key, KEY);
    Object.assign(process.env, { BACKUP_KEY_FILE: key, BACKUP_ENCRYPT: 'on' });
    expect(await restore([id, '--yes'])).toMatchObject({
      code: 0,
      out: expect.arrayContaining([expect.stringContaining('signature valid')]),
    });
    expect(await seen()).toEqual(RIGHT);
  });

  it('has 130 for Ctrl-C, and what was there is there', async () => {
    const file = await exported();
    for (const args of [[id], ['--from', file], [id, '--models-dir', join(scratch, 'place', 'models')]]) {
      const stop = new AbortController();
      expect(await restore([...args, '--yes'], stop.signal, () => stop.abort())).toMatchObject({ code: 130 });
    }
    expect(await seen()).toEqual(WRONG);
    expect(readdirSync(join(house.models, '.staging'))).toEqual([]);
    await house.repository.history().then((history) => expect(history.pinnedUntil(id, new Date())).toBeUndefined());
    expect(await restore([id, '--yes'])).toMatchObject({ code: 0 });
  });
});
