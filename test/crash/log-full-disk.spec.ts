import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LogLine } from '../e2e/test-app';
import { linear } from '../onnx/models';
import { until } from '../process/processes';
import { type ServerProcess, Servers, type Settings } from '../process/server-process';
import { describeOn, Volumes } from './power-cut-volumes';

const [describeHere, note] = describeOn('tmpfs');
const LONG = 'x'.repeat(200);

describeHere(`a log whose disk is full${note}`, () => {
  const volumes = new Volumes();
  const servers = new Servers();
  let volume: string;
  beforeEach(async () => {
    volume = await volumes.tmpfs('size=1m');
  });
  afterEach(async () => {
    await servers.remove();
    await volumes.remove();
  });

  const settings = (more: Settings = {}): Settings => ({ EXAMPLES: 'off', DRAIN_SECONDS: '0', LOG_DIR: join(volume, 'logs'), ...more });
  /** Takes all space but so many bytes. @returns gives it back */
  function fill(but: number): () => void {
    const ballast = join(volume, 'ballast');
    const { bavail, bsize } = statfsSync(volume);
    writeFileSync(ballast, Buffer.alloc(bavail * bsize - but));
    return () => rmSync(ballast);
  }
  const files = (): string => {
    const folder = join(volume, 'logs');
    const names = existsSync(folder) ? readdirSync(folder) : [];
    return names.map((name) => readFileSync(join(folder, name), 'utf8')).join('');
  };
  const parsed = (text: string): readonly LogLine[] =>
    text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as LogLine);
  const troubles = (lines: readonly LogLine[]): readonly unknown[] =>
    lines.flatMap(({ msg, place, lostLines }) => (String(msg).startsWith('log ') ? [{ msg, place, lostLines }] : []));

  /** Predicts and asks for what is not there, so that much is logged. @returns how it was answered */
  async function use(server: ServerProcess, times: number): Promise<readonly number[]> {
    const statuses: number[] = [];
    for (let time = 0; time < times; time += 10) {
      const asked = Array.from({ length: 10 }, async (_, at) => {
        const { status, body } = await server.predict('double', { instances: [[time + at]] });
        await server.get(`/${LONG}`);
        return body.predictions?.[0].prediction === 2 * (time + at) ? status : -1;
      });
      statuses.push(...(await Promise.all(asked)));
    }
    return statuses;
  }

  it('stops no prediction, and has every line in the end, whole', async () => {
    const server = await servers.start(settings());
    await server.serve('double', linear([[2]]));
    const makeSpace = fill(100 * 1024);
    const statuses = [...(await use(server, 300))];
    await until('it is told', () => server.stdout.includes('log not written'));
    statuses.push(...(await use(server, 100)));
    const asFull = files();
    makeSpace();
    await until('it is over', () => server.stdout.includes('log written again'), 10_000);
    statuses.push(...(await use(server, 10)));
    await server.stop('SIGTERM');

    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(statuses).toHaveLength(410);
    expect(asFull.length).toBeGreaterThan(50 * 1024);
    expect(asFull.length).toBeLessThan(server.stdout.length);
    expect(files()).toBe(server.stdout);
    expect(troubles(parsed(files()))).toEqual([
      { msg: 'log not written', place: join(volume, 'logs'), lostLines: undefined },
      { msg: 'log written again', place: join(volume, 'logs'), lostLines: 0 },
    ]);
  }, 60_000);

  it('keeps no server from starting, which writes what it kept when there is space', async () => {
    const makeSpace = fill(0);
    const server = await servers.start(settings());
    await server.serve('double', linear([[2]]));
    expect(new Set(await use(server, 20))).toEqual(new Set([200]));
    expect(files()).toBe('');
    makeSpace();
    await until('it is over', () => server.stdout.includes('log written again'), 10_000);
    await server.stop('SIGTERM');
    expect(files()).toBe(server.stdout);
  }, 60_000);

  it('keeps no server from starting either where there is no room for another name', async () => {
    volume = await volumes.tmpfs('size=1m', 'nr_inodes=2'); // the folder, and one name
    writeFileSync(join(volume, 'taken'), '');
    const server = await servers.start(settings());
    await server.serve('double', linear([[2]]));
    expect(new Set(await use(server, 20))).toEqual(new Set([200]));
    expect(readdirSync(volume)).toEqual(['taken']);
    rmSync(join(volume, 'taken'));
    execFileSync('mount', ['-o', 'remount,size=1m,nr_inodes=10', volume]);
    await until('it is over', () => server.stdout.includes('log written again'), 10_000);
    await server.stop('SIGTERM');
    expect(files()).toBe(server.stdout);
  }, 60_000);

  it('leaves no half of a line for another file, where the one that had the other half is gone', async () => {
    const server = await servers.start(settings());
    await server.serve('double', linear([[2]]));
    const makeSpace = fill(12 * 1024);
    await use(server, 100);
    await until('it is told', () => server.stdout.includes('log not written'));
    expect(files()).not.toMatch(/\n$/); // as the disk had room for it
    rmSync(join(volume, 'logs'), { recursive: true });
    makeSpace();
    await until('it is over', () => server.stdout.includes('log written again'), 10_000);
    await server.stop('SIGTERM');
    const lines = parsed(files());
    expect(lines.length).toBeGreaterThan(50);
    expect(troubles(lines)).toMatchObject([{ msg: 'log not written' }, { msg: 'log written again', lostLines: 1 }]);
    expect(server.stdout.endsWith(files())).toBe(true);
  }, 60_000);

  it('tells who stops the server how much was lost', async () => {
    const server = await servers.start(settings());
    fill(0);
    await server.serve('double', linear([[2]]));
    await use(server, 20);
    const { code } = await server.stop('SIGTERM');
    expect(code).toBe(0);
    const inFiles = files().split('\n').length - 1;
    const all = server.stdout.split('\n').length - 1;
    expect(all - inFiles).toBeGreaterThan(30);
    expect(server.stderr).toContain(`${all - inFiles} lines of the log could not be written\n`);
  }, 60_000);

  it('may be standard output itself: no prediction stops, and nothing is lost when there is space again', async () => {
    const out = join(volume, 'stdout');
    const server = await servers.start(settings({ LOG_DIR: '' }), ['bash', '-c', `exec "$@" >> '${out}'`, 'bash']);
    await server.serve('double', linear([[2]]));
    const makeSpace = fill(20 * 1024);
    const statuses = [...(await use(server, 100))];
    await sleep(1500);
    statuses.push(...(await use(server, 50)));
    makeSpace();
    await until('it is over', () => readFileSync(out, 'utf8').includes('log written again'), 10_000);
    await server.stop('SIGTERM');
    expect(new Set(statuses)).toEqual(new Set([200]));
    const lines = parsed(readFileSync(out, 'utf8'));
    expect(lines.filter(({ msg, model }) => msg === 'request' && model === 'double')).toHaveLength(150);
    expect(troubles(lines)).toMatchObject([
      { msg: 'log not written', place: 'stdout' },
      { msg: 'log written again', place: 'stdout', lostLines: 0 },
    ]);
  }, 60_000);

  it('is no reason to start where the disk can only be read', async () => {
    mkdirSync(join(volume, 'logs'));
    execFileSync('mount', ['-o', 'remount,ro', volume]);
    const server = servers.launch(settings());
    const { code } = await server.ended();
    expect({ code, stdout: server.stdout }).toEqual({ code: 78, stdout: '' });
    expect(server.stderr).toMatch(/^The configuration has a fault:\n {2}LOG_DIR=.*: EROFS.*\n$/);
  });

  it('is written again when the disk could only be read for a while', async () => {
    const server = await servers.start(settings());
    await server.serve('double', linear([[2]]));
    await until('it is written', () => files().includes('registry changed'));
    // a folder that takes no new file, and a file that is gone: what a remount does while nobody has the file open
    rmSync(join(volume, 'logs'), { recursive: true });
    writeFileSync(join(volume, 'logs'), 'in the way');
    await sleep(1100);
    expect(new Set(await use(server, 20))).toEqual(new Set([200]));
    await until('it is told', () => server.stdout.includes('log not written'));
    rmSync(join(volume, 'logs'));
    await until('it is over', () => server.stdout.includes('log written again'), 10_000);
    await server.stop('SIGTERM');
    expect(parsed(files()).filter(({ msg, model }) => msg === 'request' && model === 'double').length).toBeGreaterThan(10);
  }, 60_000);
});
