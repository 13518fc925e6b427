import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { until } from '../../test/process/processes';
import { type LogFile, LogOutlet, type LogPlace } from './log-outlet';

const MIB = 2 ** 20;
const FULL = '/dev/full'; // every write to it fails: ENOSPC

const places: Changing[] = [];

/** A place that is one of two files at a time. */
class Changing implements LogPlace {
  readonly name = 'changing';
  failure: Error | undefined;
  current: LogFile;
  constructor(file: LogFile) {
    this.current = file;
    places.push(this);
  }
  async next(): Promise<LogFile> {
    await Promise.resolve();
    if (this.failure !== undefined) throw this.failure;
    return this.current;
  }
}

describe(LogOutlet, () => {
  const folder = mkdtempSync(join(tmpdir(), 'log-outlet-'));
  const path = join(folder, 'log');
  let good: LogFile;
  let full: LogFile;
  const told: unknown[] = [];
  beforeEach(() => {
    rmSync(path, { force: true });
    [good, full] = [{ fd: openSync(path, 'a') }, { fd: openSync(FULL, 'w') }];
    told.length = 0;
    const tell = (msg: unknown, fields: unknown): void => void told.push([msg, fields]);
    jest.spyOn(Logger.prototype, 'error').mockImplementation(tell);
    jest.spyOn(Logger.prototype, 'warn').mockImplementation(tell);
  });
  afterEach(async () => {
    // an outlet goes on trying: by then the number of a file that is closed would be another file's
    for (const place of places.splice(0)) place.failure = Object.assign(new Error('EPIPE'), { code: 'EPIPE' });
    await sleep(50); // what is being written
    jest.restoreAllMocks();
    for (const { fd } of [good, full]) closeSync(fd);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const written = (): string => readFileSync(path, 'utf8');
  const lines = (from: number, to: number): string => Array.from({ length: to - from }, (_, at) => `line ${from + at}\n`).join('');

  it('writes everything in its order', async () => {
    const outlet = new LogOutlet(new Changing(good));
    for (let at = 0; at < 1000; at++) outlet.write(`line ${at}\n`);
    await until('all is written', () => written().length === lines(0, 1000).length);
    expect(written()).toBe(lines(0, 1000));
    expect(told).toEqual([]);
  });

  it('keeps what a full disk does not take, and says so once when it begins and once when it is over', async () => {
    const place = new Changing(full);
    const outlet = new LogOutlet(place);
    for (let at = 0; at < 100; at++) outlet.write(`line ${at}\n`);
    await until('it is told', () => told.length > 0);
    for (let at = 100; at < 200; at++) outlet.write(`line ${at}\n`);
    await sleep(1100);
    place.current = good;
    await until('it is over', () => told.length > 1);
    expect(written()).toBe(lines(0, 200));
    expect(told).toEqual([
      ['log not written', { place: 'changing', reason: expect.stringMatching(/^ENOSPC/) }],
      ['log written again', { place: 'changing', lostLines: 0, ms: expect.any(Number) }],
    ]);
  });

  it('keeps 8 MiB at most, and counts the lines that it loses beyond', async () => {
    const place = new Changing(full);
    const outlet = new LogOutlet(place);
    const piece = `${'x'.repeat(1023)}\n`.repeat(64);
    for (let at = 0; at < 200; at++) outlet.write(piece);
    await until('it is told', () => told.length > 0);
    place.current = good;
    await until('it is over', () => told.length > 1, 10_000);
    expect(written()).toHaveLength(8 * MIB);
    expect(told[1]).toEqual(['log written again', { place: 'changing', lostLines: (200 - 128) * 64, ms: expect.any(Number) }]);
  });

  it('tries again where there is no place at all', async () => {
    const place = new Changing(good);
    place.failure = Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' });
    const outlet = new LogOutlet(place);
    outlet.write('first\n');
    await until('it is told', () => told.length > 0);
    place.failure = undefined;
    await until('it is over', () => told.length > 1);
    expect(written()).toBe('first\n');
  });

  describe('at the exit', () => {
    it('writes what is left, at once', () => {
      const outlet = new LogOutlet(new Changing(good));
      outlet.write('first\n');
      outlet.write('second\n');
      expect(outlet.end()).toBe(0);
      expect(written()).toBe('first\nsecond\n');
    });

    it('tells how many lines a full disk did not take', async () => {
      const outlet = new LogOutlet(new Changing(full));
      outlet.write('first\nsecond\n');
      outlet.write('third\n');
      expect(outlet.end()).toBe(3);
      await until('it is told', () => told.length > 0);
    });
  });
});
