import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { readKey, sha256 } from './api-key';
import { auditFolder, KeyOffice } from './key-office';

const WISH = { name: 'board', scopes: ['predict'], models: ['iris'] } as const;

describe(KeyOffice, () => {
  const folder = mkdtempSync(join(tmpdir(), 'key-office-'));
  const path = join(folder, 'auth', 'keys.json');
  const log = join(auditFolder(folder), 'log');
  let office: KeyOffice;
  const events = (): readonly Record<string, unknown>[] =>
    readdirSync(log).map((name) => JSON.parse(readFileSync(join(log, name), 'utf8')));

  beforeEach(() => (office = new KeyOffice(path, folder, 'cli:ada')));
  afterEach(() => rmSync(join(folder, 'auth'), { recursive: true, force: true }));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('keeps the hash of the secret only, in a file that nobody else may read', async () => {
    const { text, record } = await office.create(WISH);
    const { secret } = readKey(text) as { secret: string };
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(record.sha256).toBe(sha256(secret));
    for (const file of [path, ...readdirSync(log).map((name) => join(log, name))]) expect(readFileSync(file, 'utf8')).not.toContain(secret);
    expect(readdirSync(join(folder, 'auth', '.staging'))).toEqual([]);
    expect(readdirSync(join(folder, 'auth'))).not.toContain('keys.json.lock');
  });

  it('works in a folder that is named from where it stands', async () => {
    const [there, file] = [folder, path].map((each) => relative(process.cwd(), each)) as [string, string];
    const { record } = await new KeyOffice(file, there, 'cli:ada').create(WISH);
    expect((await office.list()).map(({ id }) => id)).toEqual([record.id]);
  });

  it('leaves an event of every change, chained to the one before', async () => {
    const { record } = await office.create({ ...WISH, expiresAt: '2030-01-01T00:00:00.000Z' });
    await office.revoke(record.id);
    expect(events()).toEqual([
      expect.objectContaining({ kind: 'key.created', actor: 'cli:ada', keyId: record.id, ...WISH, expiresAt: '2030-01-01T00:00:00.000Z' }),
      expect.objectContaining({ kind: 'key.revoked', actor: 'cli:ada', keyId: record.id }),
    ]);
    expect(await office.verify()).toBe(2);
  });

  it('names the event of the trail that somebody changed, took away or put in between', async () => {
    for (let at = 0; at < 4; at++) await office.create(WISH);
    const event = (seq: number): string => join(log, `${String(seq).padStart(20, '0')}.json`);
    const good = readFileSync(event(2), 'utf8');
    const tampered = good.replace('cli:ada', 'cli:bob');
    expect(tampered).not.toBe(good);
    rmSync(event(2));
    await expect(office.verify()).rejects.toThrow('Event 2 of the log cannot be trusted');
    writeFileSync(event(2), tampered);
    await expect(office.verify()).rejects.toThrow('Event 3 of the log cannot be trusted: it is not chained');
  });

  it('knows a revoked key on, and revokes it once', async () => {
    const { record } = await office.create(WISH);
    const first = await office.revoke(record.id);
    const second = await office.revoke(record.id);
    expect(first?.revokedAt).toBe(second?.revokedAt);
    expect(await office.list()).toEqual([expect.objectContaining({ id: record.id, revokedAt: first?.revokedAt })]);
    expect(await office.revoke('nosuchid')).toBeUndefined();
  });

  it('loses no change of many who change at once', async () => {
    const offices = Array.from({ length: 8 }, (_, at) => new KeyOffice(path, folder, `cli:${at}`));
    const made = await Promise.all(offices.map((each) => each.create(WISH)));
    const listed = await office.list();
    expect(listed.map(({ id }) => id).sort()).toEqual(made.map(({ record }) => record.id).sort());
    expect(events()).toHaveLength(8);
  });

  it('waits for a lock, takes one over that was left long ago, and gives up on one that stays', async () => {
    await office.create(WISH);
    const lock = `${path}.lock`;
    writeFileSync(lock, '');
    await expect(office.revoke('nosuchid')).rejects.toMatchObject({ code: 'KEY_FILE_BUSY' });
    const longAgo = new Date(Date.now() - 60_000);
    utimesSync(lock, longAgo, longAgo);
    expect(await office.revoke('nosuchid')).toBeUndefined();
  });

  it('writes nothing that it could not read, and touches no file that it cannot understand', async () => {
    await expect(office.create({ ...WISH, name: 'no name\n' })).rejects.toMatchObject({ code: 'KEY_FILE_DAMAGED' });
    expect(await office.list()).toEqual([]);
    expect(await office.verify()).toBe(0);
    mkdirSync(join(folder, 'auth'), { recursive: true });
    writeFileSync(path, '{"version":2,"keys":[]}');
    await expect(office.create(WISH)).rejects.toMatchObject({ code: 'KEY_FILE_DAMAGED' });
    expect(readFileSync(path, 'utf8')).toBe('{"version":2,"keys":[]}');
  });
});
