import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './processes';
import { type ServerProcess, Servers } from './server-process';

/** Where Debian's package `faketime` has its library. */
const library = readdirSync('/usr/lib')
  .map((name) => join('/usr/lib', name, 'faketime', 'libfaketime.so.1'))
  .find((path) => existsSync(path));
const [itHere, note] = library === undefined ? [it.skip, ' (SKIPPED: no libfaketime)'] : [it, ''];

describe(`the schedule of a real server${note}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'backup-schedule-'));
  const servers = new Servers();
  afterEach(() => servers.remove());
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** @param time as faketime has it: `+3d` */
  const start = (time: string): Promise<ServerProcess> =>
    servers.start({
      ...{ MODELS_DIR: join(folder, 'models'), BACKUPS_DIR: join(folder, 'backups'), BACKUP_SCHEDULE: '* * * * *', BACKUP_KEEP_DAILY: '1' },
      ...{ LD_PRELOAD: library as string, FAKETIME: time, FAKETIME_DONT_FAKE_MONOTONIC: '1', FAKETIME_NO_CACHE: '1' },
    });
  const lines = (server: ServerProcess, text: string) => server.log.filter(({ msg }) => msg === text);
  const kinds = (): readonly string[] =>
    readdirSync(join(folder, 'backups', 'log')).map((name) => JSON.parse(readFileSync(join(folder, 'backups', 'log', name), 'utf8')).kind);

  itHere(
    'catches up once after three days, tells of it, is whole when it is stopped at once, and deletes nothing by a clock set back',
    async () => {
      const first = await start('+0d');
      await first.stop('SIGINT');

      const late = await start('+3d');
      await until('the missed backup is done', () => lines(late, 'backup done').length > 0, 15_000);
      const { body } = await late.get('/health');
      expect(body.details.backup).toMatchObject({ status: 'up', snapshots: 1, lastRun: { outcome: 'completed' } });
      expect(lines(late, 'backup done')).toHaveLength(1);
      expect(lines(late, 'backup done')[0]).toMatchObject({ correlationId: expect.stringMatching(/^backup-/) });
      await late.stop('SIGINT');

      // twenty seconds before a minute is full, and on a busy machine the start takes some: the schedule is for every minute
      const secondsBack = 362 * 86_400 + ((new Date().getSeconds() + 20) % 60);
      const back = await start(`-${secondsBack}s`);
      await until(
        'a backup by the clock that was set back',
        async () => kinds().includes('snapshot.completed') && lines(back, 'backups pruned').length > 0,
        100_000,
      );
      await back.stop('SIGINT');
      expect(kinds()).not.toContain('snapshot.deleted');
      expect(kinds()).not.toContain('blobs.condemned');
    },
    120_000,
  );
});
