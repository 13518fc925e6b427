import { writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { KEY, OTHER_KEY } from '../../test/backup/backup-house';
import { DrillHouse } from '../../test/backup/drill-house';
import { endOwnHosts } from '../../test/process/processes';
import { runCommand } from './command-line';

const SETTINGS = ['BACKUP_KEY_FILE', 'MIN_FREE_BYTES', 'MODELS_DIR', 'BACKUPS_DIR'] as const;
const KEPT = SETTINGS.map((name) => [name, process.env[name]] as const);

describe('backup drill', () => {
  let house: DrillHouse;
  beforeAll(() => Logger.overrideLogger(false));
  beforeEach(async () => {
    house = await DrillHouse.fresh();
    await house.fill(21);
    Object.assign(process.env, { MODELS_DIR: house.backup.models, BACKUPS_DIR: house.backup.backups, MIN_FREE_BYTES: '0' });
  });
  afterEach(async () => {
    for (const [name, value] of KEPT)
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    await house.close();
  });
  afterAll(endOwnHosts);

  async function drill(args: readonly string[] = [], onErr: (line: string) => void = () => {}, signal?: AbortSignal) {
    const [out, err]: [string[], string[]] = [[], []];
    const output = {
      out: (line: string) => void out.push(line),
      err: (line: string) => {
        err.push(line);
        onErr(line);
      },
    };
    const code = await runCommand(['backup', 'drill', ...args], output, signal);
    return { code, out, err };
  }

  it('says what was restored and how long it took, and how far it is', async () => {
    const { id } = await house.backup.take();
    const { code, out, err } = await drill();
    expect({ code, out }).toEqual({
      code: 0,
      out: [
        expect.stringMatching(new RegExp(`^${id}: 3 objects, [\\d.]+ KiB; 2 models loaded, 1 golden row answered rightly$`)),
        expect.stringMatching(/^ {2}restored in \d+ ms, verified in \d+ ms, loaded in \d+ ms, replayed in \d+ ms$/),
        'All is well: 1 snapshot restored, and serving',
      ],
    });
    expect(err[0]).toMatch(/^copying: \d of \d objects/);
    expect((await drill(['--quiet'])).err).toEqual([]);
  });

  it('is shown by list and show', async () => {
    await house.backup.take();
    const text = async (...args: readonly string[]): Promise<string> => {
      const lines: string[] = [];
      await runCommand(['backup', ...args], { out: (line) => void lines.push(line), err: () => {} });
      return lines.join('\n');
    };
    expect(await text('show', 'latest')).toMatch(/^drilled +never$/m);
    await drill();
    expect(await text('show', 'latest')).toMatch(/^drilled +\S+, in \d+ ms$/m);
    expect(await text('list')).not.toContain('DRILL');
    await rm(join(house.backup.backups, 'blobs'), { recursive: true });
    await drill();
    expect(await text('show', 'latest')).toMatch(/^drilled +\S+: FAILED while restoring: missing$/m);
    expect(await text('list')).toContain('DAMAGED, DRILL FAILED, UNSIGNED');
  });

  it('has an exit code of its own for each way it can end', async () => {
    expect(await drill()).toMatchObject({ code: 10 });
    const { id } = await house.backup.take();
    const key = join(house.backup.root, 'a-key');
    writeFileSync(key, KEY, { mode: 0o600 });
    process.env['BACKUP_KEY_FILE'] = key;
    expect(await drill()).toMatchObject({
      code: 12,
      out: [expect.stringContaining(`${id}: FAILED while restoring: unsigned`), '1 drill failed'],
    });
    expect(await drill(['--allow-unsigned'])).toMatchObject({ code: 0 });
    const signed = await (await DrillHouse.on(house.backup.root, { key: KEY })).backup.take();
    expect(await drill([signed.id])).toMatchObject({ code: 0 });
    writeFileSync(key, OTHER_KEY);
    expect(await drill(['latest'])).toMatchObject({
      code: 12,
      out: [expect.stringContaining('FAILED while restoring: key'), '1 drill failed'],
    });
    delete process.env['BACKUP_KEY_FILE'];
    await rm(join(house.backup.backups, 'blobs'), { recursive: true });
    const { code, out } = await drill(['--json']);
    expect([code, JSON.parse(out.at(-1) as string)]).toEqual([
      3,
      { code: 3, reason: '2 drills failed', ok: false, ms: expect.any(Number), snapshots: [signed.id, id] },
    ]);
    expect(await drill(['yesterday'])).toMatchObject({ code: 64 });
    expect(await drill(['20261123T030000Z-42-0f3a'])).toMatchObject({ code: 1 });
    expect(await drill(['latest', 'latest'])).toMatchObject({ code: 64 });
  });

  it('has 130 for Ctrl-C, and leaves nothing', async () => {
    await house.backup.take();
    const stop = new AbortController();
    expect(await drill([], () => stop.abort(), stop.signal)).toMatchObject({ code: 130 });
    expect(await house.leftovers()).toEqual([]);
  });
});
