import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LogLine } from '../e2e/test-app';
import { until } from './processes';
import { type ServerProcess, Servers, type Settings } from './server-process';

/** Where Debian's package `faketime` has its library. */
const library = readdirSync('/usr/lib')
  .map((name) => join('/usr/lib', name, 'faketime', 'libfaketime.so.1'))
  .find((path) => existsSync(path));
const [itWithClock, note] = library === undefined ? [it.skip, ' (SKIPPED: no libfaketime)'] : [it, ''];
const NAME = /^analytics-api-(\d{4}-\d{2}-\d{2})\.(\d+)\.log$/;
const CALLERS = 16;
/** Nothing is there; its line is long. */
const PATH = `/${'x'.repeat(250)}`;

const servers = new Servers();
let folder: string;
let logDir: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'analytics-api-logs-'));
  logDir = join(folder, 'logs');
});
afterEach(async () => {
  await servers.remove();
  rmSync(folder, { recursive: true, force: true });
});

const start = (settings: Settings = {}): Promise<ServerProcess> =>
  servers.start({ EXAMPLES: 'off', DRAIN_SECONDS: '0', LOG_DIR: logDir, ...settings });

/** The log files, oldest first. */
function files(): readonly string[] {
  const keyOf = (name: string): number => Date.parse(NAME.exec(name)?.[1] ?? '') + Number(NAME.exec(name)?.[2]);
  return readdirSync(logDir).sort((a, b) => keyOf(a) - keyOf(b));
}

const textOf = (names: readonly string[] = files()): string => names.map((name) => readFileSync(join(logDir, name), 'utf8')).join('');
const linesOf = (text: string): readonly LogLine[] =>
  text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as LogLine);
const sorted = (text: string): readonly string[] => text.split('\n').sort();

/** Asks again and again until it is told to stop or nobody answers. @returns the ids of what was answered in full */
async function load(server: ServerProcess, name: string, enough: (answered: number) => boolean): Promise<readonly string[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: CALLERS });
  const answered: string[] = [];
  let asked = 0;
  const ask = (id: string): Promise<void> =>
    new Promise((resolve, reject) => {
      request(server.origin + PATH, { agent, headers: { 'X-Correlation-Id': id } }, (response) => {
        response.resume().on('end', () => resolve(void answered.push(id)));
        response.on('error', reject);
      })
        .on('error', reject)
        .end();
    });
  const caller = async (): Promise<void> => {
    while (!enough(answered.length)) await ask(`${name}-${String(asked++).padStart(56 - name.length, '0')}`);
  };
  await Promise.allSettled(Array.from({ length: CALLERS }, caller)); // who is refused has come too late
  agent.destroy();
  return answered;
}

const idsIn = (text: string): readonly string[] =>
  linesOf(text).flatMap(({ path, correlationId }) => (path === PATH ? [String(correlationId)] : []));

describe('log files', () => {
  it('have what standard output has: every line of what was answered before a SIGTERM, in one file over restarts', async () => {
    const answered: string[] = [];
    let stdout = '';
    for (const name of ['one', 'two', 'three']) {
      const server = await start();
      let stopped = false;
      const asking = load(server, name, () => stopped);
      await sleep(500);
      const { code } = await server.stop('SIGTERM');
      stopped = true;
      answered.push(...(await asking));
      expect(code).toBe(0);
      stdout += server.stdout;
    }
    expect(files()).toHaveLength(1);
    expect(textOf()).toBe(stdout);
    const told = new Set(idsIn(textOf()));
    expect(answered.length).toBeGreaterThan(300);
    expect(answered.filter((id) => !told.has(id))).toEqual([]);
  }, 60_000);

  it('are rotated by their size while they are written, and lose no line', async () => {
    const server = await start({ LOG_FILE_MAX_MB: '1', LOG_FILE_COUNT: '50' });
    const answered = await load(server, 'rotated', (count) => count >= 8000 && files().length > 3);
    await server.stop('SIGINT');
    expect(files().length).toBeGreaterThan(3);
    expect(textOf()).toBe(server.stdout);
    expect([...idsIn(textOf())].sort()).toEqual([...answered].sort());
    const sizes = files().map((name) => readFileSync(join(logDir, name)).length);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(2 ** 20);
    expect(Math.min(...sizes.slice(0, -1))).toBeGreaterThan(2 ** 20 - 128 * 1024);

    const before = files();
    const [newest] = before.slice(-1) as [string];
    const again = await start({ LOG_FILE_MAX_MB: '1', LOG_FILE_COUNT: '3' });
    await again.stop('SIGINT');
    expect(files()).toEqual(before.slice(-3));
    expect(readFileSync(join(logDir, newest), 'utf8')).toMatch(new RegExp(`${RegExp.escape(again.stdout)}$`));
  }, 60_000);

  it('may be shared by servers: all lines of both are there, each whole, and no more files than there may be', async () => {
    const settings = { LOG_FILE_MAX_MB: '1', LOG_FILE_COUNT: '50' };
    const both = await Promise.all([start(settings), start(settings)]);
    await Promise.all(both.map((server, at) => load(server, `server-${at}`, (count) => count >= 4500 && files().length > 3)));
    await Promise.all(both.map((server) => server.stop('SIGTERM')));
    expect(files().length).toBeGreaterThan(3);
    expect(sorted(textOf())).toEqual(sorted(both.map(({ stdout }) => stdout).join('')));
    for (const name of files()) expect(() => linesOf(textOf([name]))).not.toThrow();
  }, 60_000);

  it('come again when somebody takes their folder away', async () => {
    const server = await start();
    await load(server, 'before', (count) => count >= 20);
    await until('they are there', () => files().length > 0);
    rmSync(logDir, { recursive: true });
    let answered: readonly string[] = [];
    await until(
      'they are there again',
      async () => {
        answered = await load(server, 'after', (count) => count >= CALLERS);
        return existsSync(logDir) && files().length > 0 && idsIn(textOf()).length > 0;
      },
      10_000,
    );
    answered = await load(server, 'later', (count) => count >= 50);
    await server.stop('SIGTERM');
    expect(idsIn(textOf())).toEqual(expect.arrayContaining([...answered]));
    expect(linesOf(server.stdout).filter(({ level }) => level === 'error')).toEqual([]);
  }, 30_000);

  itWithClock(
    `begin anew when the day is over (UTC)${note}`,
    async () => {
      const server = await start({
        ...{ LD_PRELOAD: library as string, FAKETIME: '@2026-11-23 23:59:45', TZ: 'UTC' },
        ...{ FAKETIME_DONT_FAKE_MONOTONIC: '1', FAKETIME_NO_CACHE: '1' },
      });
      const answered: string[] = [];
      await until(
        'the next day',
        async () => {
          answered.push(...(await load(server, `day-${answered.length}`, (count) => count >= CALLERS)));
          await sleep(100);
          return files().length > 1;
        },
        30_000,
      );
      await server.stop('SIGINT');
      expect(files()).toEqual(['analytics-api-2026-11-23.1.log', 'analytics-api-2026-11-24.1.log']);
      expect(textOf()).toBe(server.stdout);
      expect(new Set(idsIn(textOf()))).toEqual(new Set(answered));
      const days = files().map((name) => new Set(linesOf(textOf([name])).map(({ time }) => String(time).slice(0, 10))));
      expect([...(days[0] as Set<string>)]).toEqual(['2026-11-23']);
      expect(days[1]).toContain('2026-11-24');
    },
    60_000,
  );

  it('are not begun where their folder cannot be made: the start says so', async () => {
    writeFileSync(join(folder, 'logs'), 'a file');
    const server = servers.launch({ LOG_DIR: join(logDir, 'deeper') });
    const { code } = await server.ended();
    expect({ code, stdout: server.stdout }).toEqual({ code: 78, stdout: '' });
    expect(server.stderr).toMatch(/^The configuration has a fault:\n {2}LOG_DIR=.*\/logs\/deeper: ENOTDIR.*\n$/);
  });

  it('go on when nobody reads standard output any more', async () => {
    const server = await servers.start({ EXAMPLES: 'off', DRAIN_SECONDS: '0', LOG_DIR: logDir }, [
      ...['bash', '-c', 'exec "$@" > >(head -c 1000 > /dev/null)', 'bash'],
    ]);
    const answered: string[] = [];
    await until('it is told', async () => {
      answered.push(...(await load(server, `unread-${answered.length}`, (count) => count >= 100)));
      return textOf().includes('log not written');
    });
    answered.push(...(await load(server, 'later', (count) => count >= 100)));
    expect((await server.stop('SIGTERM')).code).toBe(0);
    expect(new Set(idsIn(textOf()))).toEqual(new Set(answered));
    const told = linesOf(textOf()).filter(({ msg }) => String(msg).startsWith('log '));
    expect(told).toMatchObject([{ msg: 'log not written', place: 'stdout', reason: expect.stringMatching(/^EPIPE/) }]);
  });

  it('are not written where there is no setting for them, nor by a command', async () => {
    mkdirSync(logDir);
    const server = await start({ LOG_DIR: '' });
    await server.stop('SIGINT');
    expect(files()).toEqual([]);
  });
});
