import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { Logger } from '@nestjs/common';
import { BlobCollector } from '../../src/models/upkeep/blob-collector';
import { RegistryJournal } from '../../src/models/registry/registry-journal';
import { RegistryState } from '../../src/models/registry/registry-state';
import type { StagedBlob } from '../../src/storage/blob-store.port';
import { FileBlobStore } from '../../src/storage/file-blob.store';
import { FileEventLog } from '../../src/storage/file-event.log';
import { type Ack, checkRegistry, parseAcks, parseErrors } from './registry-check';
import { runWriters } from './writers';
import { type LoggedEvent, WritersLog } from './writers-log';

const DAY_MS = 24 * 3_600_000;
const YEAR_MS = 365 * DAY_MS;
const RUN_MS = 4000;

Logger.overrideLogger(false);
const folder = mkdtempSync(join(tmpdir(), 'analytics-api-clock-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const PRELOAD = { NODE_OPTIONS: `--require=${join(__dirname, 'clock.cjs')}` };
const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31);

/** Where Debian's package `faketime` has its library. */
const library = readdirSync('/usr/lib')
  .map((name) => join('/usr/lib', name, 'faketime', 'libfaketime.so.1'))
  .find((path) => existsSync(path));
const faked = (settings: Record<string, string>): NodeJS.ProcessEnv => ({
  ...{ LD_PRELOAD: library, FAKETIME_DONT_FAKE_MONOTONIC: '1', FAKETIME_NO_CACHE: '1', ...settings },
});

/** Lets processes with these clocks work on one registry. @returns the events that they wrote */
async function eventsOf(name: string, environments: readonly NodeJS.ProcessEnv[]): Promise<readonly LoggedEvent[]> {
  const root = join(folder, name);
  const { violations } = await runWriters({ folder: root, seed, ms: RUN_MS, processes: environments.length, environments, kills: 0 });
  expect({ seed, violations: violations.slice(0, 20) }).toEqual({ seed, violations: [] });
  return (await WritersLog.of(join(root, 'root'))).events;
}

/** Each process wrote events, all of them in one line of time, and the clock that is ahead was really ahead. */
function expectOneLine(events: readonly LoggedEvent[], processes: number): void {
  const times = events.map(({ at }) => at);
  expect(times).toEqual(times.toSorted());
  const writers = new Set(events.map(({ actor }) => actor.split('.')[0]).filter((actor) => actor !== 'system'));
  expect(writers.size).toBe(processes);
  expect(Date.parse(times.at(-1)!)).toBeGreaterThan(Date.now() + YEAR_MS - DAY_MS);
}

describe(`processes with clocks a year ahead, a year behind, in 1970, jumping and right, on one registry (SEED=${seed})`, () => {
  it('write events whose order is their number and whose time never goes back, and every version stays readable', async () => {
    const clocks = [String(YEAR_MS), String(-YEAR_MS), '1970', 'jumps', '0'];
    const environments = clocks.map((CLOCK) => ({ ...PRELOAD, CLOCK }));
    expectOneLine(await eventsOf('preload', environments), clocks.length);
  }, 60_000);

  const [itHere, note] = library === undefined ? [it.skip, ' (SKIPPED: no libfaketime)'] : [it, ''];
  itHere(
    `do so with the clock of the C library as well${note}`,
    async () => {
      const jumping = join(folder, 'jumping');
      writeFileSync(jumping, '+0');
      const settings = [
        { FAKETIME: '+1y' },
        { FAKETIME: '-1y' },
        { FAKETIME: '@1970-01-02 00:00:00' },
        { FAKETIME_TIMESTAMP_FILE: jumping },
      ];
      let jumps = 0;
      const clock = setInterval(() => writeFileSync(jumping, ['+1y', '-1y', '+0', '-40y'][jumps++ % 4]!), 100);
      try {
        expectOneLine(await eventsOf('faketime', [...settings.map(faked), {}]), 5);
      } finally {
        clearInterval(clock);
      }
    },
    60_000,
  );

  it('number what they publish one after the other, and each event is as late as the latest clock so far', async () => {
    const root = join(folder, 'one-after-the-other');
    const streams: (readonly Ack[])[] = [];
    for (const [at, CLOCK] of ['0', String(YEAR_MS), '1970', String(-YEAR_MS), '0'].entries()) {
      const steps = [`publish:m:bytes ${at}`, `promote:m:${at + 1}`, `orphan:orphan ${at}`, 'collect', 'checkpoint'];
      const driver = [join(__dirname, 'registry-driver.cjs'), root, ...steps];
      const options = { env: { ...process.env, ...PRELOAD, CLOCK }, timeout: 15_000 };
      const { stdout } = await promisify(execFile)(process.execPath, driver, options);
      expect(parseErrors(stdout)).toEqual([]);
      streams.push(parseAcks(stdout));
    }
    expect(await checkRegistry(root, ...streams)).toEqual([]);
    expect(streams.map((acks) => acks.find(({ ack }) => ack === 'publish')?.['version'])).toEqual([1, 2, 3, 4, 5]);

    const { events } = await WritersLog.of(root);
    const ahead = events.filter(({ at }) => Date.parse(at) > Date.now() + YEAR_MS - DAY_MS);
    // whose clock is behind takes every blob for young and collects none
    expect(events.map(({ kind }) => kind).filter((kind) => kind === 'blobs.condemned')).toHaveLength(3);
    expect(ahead).toHaveLength(events.length - 4); // all since the second process
    expect(new Set(ahead.slice(2).map(({ at }) => at)).size).toBe(1);
  }, 60_000);
});

describe('a collection with a minimal age', () => {
  const REAL = Date.now();
  // only the clock is not real
  const doNotFake = [
    ...(['hrtime', 'nextTick', 'performance', 'queueMicrotask', 'setImmediate', 'clearImmediate'] as const),
    ...(['setInterval', 'clearInterval', 'setTimeout', 'clearTimeout'] as const),
  ];
  const setClock = (ms: number): void => void jest.useFakeTimers({ now: ms, doNotFake: [...doNotFake] });
  afterEach(() => void jest.useRealTimers());

  let blobs: FileBlobStore;
  let collect: () => Promise<readonly string[]>;
  let needed: string;
  let lost: string;

  const stage = (text: string): Promise<StagedBlob> => blobs.stage(Readable.from([Buffer.from(text)]), 100);
  const put = async (text: string): Promise<string> => {
    const staged = await stage(text);
    await blobs.put(staged);
    await staged.discard();
    return staged.digest;
  };
  const listed = async (): Promise<readonly string[]> => (await Readable.from(blobs.list()).toArray()).map(({ name }) => name);

  beforeEach(async () => {
    const root = mkdtempSync(join(folder, 'aged-'));
    blobs = new FileBlobStore(root);
    const state = new RegistryState();
    const journal = new RegistryJournal(new FileEventLog(root), state, new FileBlobStore(root));
    await journal.onModuleInit();
    needed = await put('needed');
    lost = await put('lost');
    const manifest = { files: [{ path: 'f', size: 6, sha256: needed }], metadata: {} };
    const event = { kind: 'version.published', model: 'm', version: 1, digest: 'd', manifest, engine: 'onnx', executable: 'e' } as const;
    await journal.commit('tester', () => ({ ...event, signature: { inputs: [], outputs: [] } }));
    const collector = new BlobCollector(state, journal, blobs);
    collect = async () => (await collector.collect('tester', { minAgeMs: DAY_MS, undeleteMs: DAY_MS })).condemned;
  });

  it.each([
    ['a year ahead', YEAR_MS],
    ['a century ahead', 100 * YEAR_MS],
  ])('never takes what a version needs, with a clock %s', async (_where, ahead) => {
    setClock(REAL + ahead);
    expect(await collect()).toEqual([lost]);
    expect(await listed()).toEqual([needed]);
  });

  it.each([
    ['right', REAL],
    ['a year behind', REAL - YEAR_MS],
    ['in 1970', 0],
  ])('takes nothing that is young, with a clock that is %s', async (_where, now) => {
    setClock(now);
    expect(await collect()).toEqual([]);
    expect((await listed()).toSorted()).toEqual([lost, needed].toSorted());
  });

  it.each([
    ['1970', 0],
    ['2100', Date.UTC(2100)],
  ])('never takes what a version needs, although its file is dated %s', async (_when, mtimeMs) => {
    for await (const { name } of blobs.list()) {
      const { path } = await blobs.local(name);
      await utimes(path, mtimeMs / 1000, mtimeMs / 1000);
    }
    await collect();
    expect(await listed()).toContain(needed);
  });
});
