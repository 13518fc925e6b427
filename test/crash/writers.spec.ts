import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EventFields, LOG_START, type LogPosition } from '../../src/storage/event-log.port';
import { FileEventLog } from '../../src/storage/file-event.log';
import { checkHistory, type Operation } from './linearizability';
import { runWriters } from './writers';
import { WritersLog } from './writers-log';

const MS = 12_000;
const MUTANT_MS = 3000;
const MUTANT_ROUNDS = 3;

const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31);
const folder = mkdtempSync(join(tmpdir(), 'analytics-api-writers-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe(`8 processes that publish, promote, roll back, alias, delete, undelete, collect and read on one registry, killed and stopped at random (SEED=${seed})`, () => {
  it('are told nothing that is not so: their history is linearizable, and when it is quiet all know the same versions', async () => {
    const { violations, kills, stops, operations, events } = await runWriters({ folder: join(folder, 'sound'), seed, ms: MS });
    expect({ seed, violations: violations.slice(0, 20) }).toEqual({ seed, violations: [] });
    // else nothing was tried; a busy machine does a tenth of what an idle one does
    expect([kills > 2, stops > 2, operations > 100, events > 50]).not.toContain(false);
  }, 80_000);

  it.each([
    // that its processes find the log damaged and end does not count: the judge must see it
    [
      'a taken number is taken again (eexist-ignored)',
      'eexist-ignored',
      /is not chained|a second time|is of another content|not what it answered/,
    ],
    ['bytes go before the event that condemns them (unlink-before-event)', 'unlink-before-event', /BLOB_MISSING/],
    ['what is in use is deleted (delete-unchecked)', 'delete-unchecked', /deleted of .*: it deletes \d+, which is in use/],
    ['what comes back is not what its bytes are called (undelete-unasked)', 'undelete-unasked', /BLOB_MISSING|cannot be read/],
  ])(
    'are found out where %s',
    async (_fault, mutant, finding) => {
      const found: string[] = [];
      for (let round = 0; round < MUTANT_ROUNDS && found.length === 0; round++) {
        const plan = { folder: join(folder, `${mutant}-${round}`), seed: seed + round, ms: MUTANT_MS, mutant };
        found.push(...(await runWriters(plan)).violations.filter((violation) => finding.test(violation)));
      }
      expect({ seed, found }).not.toEqual({ seed, found: [] });
    },
    80_000,
  );
});

describe('the judge of a history', () => {
  const SHA = 'a'.repeat(64);
  let log: WritersLog;
  let hashes: string[];

  const published = (version: number): object => ({
    ...{ kind: 'version.published', model: 'm', version, digest: `d${version}`, engine: 'onnx', executable: 'e', signature: {} },
    manifest: { files: [{ path: `f${version}`, size: 1, sha256: SHA }], metadata: {} },
  });
  const promoted = (version: number): object => ({ kind: 'stage.changed', model: 'm', version, stage: 'production' });

  /** An operation that was called at `from` and had returned at `to`. */
  const operation = (id: string, kind: string, from: number, to: number, args: object = {}, result: object = {}): Operation => ({
    ...{ id, kind, invoked: BigInt(from), over: BigInt(to), args: { ...args }, result: { ...result } },
  });
  const publish = (version: number, from: number, to: number): Operation => {
    const content = { model: 'm', file: `f${version}`, sha256: SHA };
    return operation(`w/0-${version}`, 'publish', from, to, content, { model: 'm', version, created: true, blob: SHA });
  };
  const promote = (id: string, version: number, from: number, to: number): Operation =>
    operation(id, 'move', from, to, { model: 'm', version, stage: 'production' });
  /** What was asked for at 90 and answered at 95. */
  const late = (kind: string, args: object, result: object = {}): Operation =>
    operation('w/0-7', kind, 90, 95, { model: 'm', ...args }, result);
  const refused = (kind: string, args: object, error: string): Operation => {
    const { result: _, ...asked } = late(kind, args);
    return { ...asked, error: `${error}: …` };
  };
  const look = (seq: number, from: number, to: number): Operation =>
    operation('w/0-9', 'read', from, to, {}, { seq, hash: hashes[seq], models: [] });

  /** One after the other: 1 published, 2 published, 1 promoted, 2 promoted. */
  const truth = (): readonly Operation[] => [
    publish(1, 10, 20),
    publish(2, 30, 40),
    promote('w/0-3', 1, 50, 60),
    promote('w/0-4', 2, 70, 80),
  ];
  const judge = (...instead: readonly Operation[]): readonly string[] => {
    const kept = truth().filter(({ id }) => !instead.some((other) => other.id === id));
    return checkHistory(log, [...kept, ...instead]);
  };

  beforeAll(async () => {
    const file = new FileEventLog(join(folder, 'judged'));
    let at: LogPosition = LOG_START;
    hashes = [at.hash];
    const events = [{ kind: 'registry.created', lineage: 'l' }, published(1), published(2), promoted(1), promoted(2)];
    for (const [seq, event] of events.entries()) {
      at = (await file.append(at, { ...event, actor: 'w', correlationId: `w/0-${seq}` } as unknown as EventFields)).position;
      hashes.push(at.hash);
    }
    log = await WritersLog.of(join(folder, 'judged'));
  });

  it('finds nothing wrong with a history that is true', () => {
    expect(judge(look(3, 45, 46))).toEqual([]);
  });

  it('lets what was killed have happened, or not', () => {
    const { result: _, ...killed } = promote('w/0-4', 2, 70, 80);
    const { result: __, ...lost } = promote('w/0-5', 1, 70, 80);
    expect(judge(killed, lost)).toEqual([]);
  });

  it('lets what overlaps come in any order', () => {
    expect(judge(promote('w/0-3', 1, 50, 90), look(5, 82, 85))).toEqual([]);
    expect(judge(promote('w/0-3', 1, 75, 90), promote('w/0-4', 2, 70, 80))).toEqual([]);
  });

  it.each<readonly [string, () => readonly Operation[], RegExp]>([
    ['an event that nobody caused', () => [operation('w/0-4', 'read', 70, 80, {}, look(5, 0, 0).result)], /says stage\.changed/],
    ['a publish that is not in the log', () => [{ ...publish(3, 90, 95), id: 'w/0-7' }], /m:3 is lost/],
    ['a promote that is not in the log', () => [promote('w/0-7', 1, 90, 95)], /no event, and the version never stood there/],
    [
      'two promotes in the other order than they were told',
      () => [promote('w/0-4', 2, 41, 45)],
      /ended before what is at 3|was there before it/,
    ],
    ['a look that misses what was told before', () => [look(2, 45, 46)], /event 3 was there before it was called/],
    ['a look that sees what was asked for later', () => [look(4, 45, 46)], /ended before what is at 3 was called/],
    ['a look at another event', () => [{ ...look(3, 45, 46), result: { seq: 3, hash: SHA, models: [] } }], /not the one that it saw/],
    [
      'a look at another model',
      () => [{ ...look(3, 45, 46), result: { ...look(3, 0, 0).result, models: [{ model: 'm', rows: 9, whole: '' }] } }],
      /not what it saw/,
    ],
    [
      'a version of other bytes',
      () => [{ ...publish(1, 10, 20), args: { model: 'm', file: 'f1', sha256: 'b' } }],
      /not what it was asked for/,
    ],
    ['damaged bytes', () => [operation('w/0-7', 'verify', 90, 95, { blob: SHA }, { whole: false })], /are damaged/],
    ['a failure', () => [{ ...operation('w/0-7', 'collect', 90, 95), error: 'ENOENT: …' }], /it failed: ENOENT/],
    [
      'a refusal without a reason',
      () => [{ ...publish(3, 90, 95), id: 'w/0-7', args: { model: 'm', version: 3 }, error: 'VERSION_TAKEN: …' }],
      /it failed/,
    ],
    ['a collection without its event', () => [operation('w/0-7', 'collect', 90, 95, {}, { condemned: [SHA] })], /not what it answered/],
  ])('finds %s', (_what, instead, finding) => {
    expect(judge(...instead()).join('\n')).toMatch(finding);
  });

  it.each<readonly [string, () => Operation]>([
    ['a rollback of which there is nothing', () => late('rollback', {}, { version: 1 })],
    ['an alias that never pointed there', () => late('alias', { alias: 'best', version: 1 })],
    ['a deletion without its event', () => late('delete', { version: 1 })],
    ['an undeletion without its event', () => late('undelete', { version: 1 }, { blob: SHA })],
    ['the deletion of a model without its event', () => late('deleteModel', {})],
    ['a rollback refused though there is where to go back to', () => refused('rollback', {}, 'NOTHING_TO_ROLL_BACK')],
    ['a deletion refused though nothing uses the version', () => refused('delete', { version: 1 }, 'VERSION_IN_USE')],
    ['a deletion refused though the version is there', () => refused('delete', { version: 1 }, 'VERSION_NOT_FOUND')],
    ['an undeletion refused though no bytes were condemned', () => refused('undelete', { version: 1 }, 'BYTES_COLLECTED')],
    ['an alias refused though the version is there', () => refused('alias', { alias: 'best', version: 1 }, 'VERSION_NOT_FOUND')],
    ['a refusal that no such operation has', () => refused('alias', { alias: 'best', version: 7 }, 'NOT_DELETED')],
  ])('finds %s', (_what, wrong) => {
    expect(judge(wrong())).toHaveLength(1);
  });

  it.each<readonly [string, () => Operation]>([
    ['a deletion refused as the version is in production', () => refused('delete', { version: 2 }, 'VERSION_IN_USE')],
    ['an undeletion refused as the version is there', () => refused('undelete', { version: 1 }, 'NOT_DELETED')],
    ['the removal of an alias refused as there is none', () => refused('unalias', { alias: 'best' }, 'ALIAS_NOT_FOUND')],
    ['the undeletion of a model refused as it is there', () => refused('undeleteModel', {}, 'NOT_DELETED')],
  ])('believes %s', (_what, right) => {
    expect(judge(right())).toEqual([]);
  });

  it('finds an event that is of nobody', () => {
    expect(checkHistory(log, truth().slice(1)).join('\n')).toMatch(/event 2, version\.published, is of nobody/);
  });

  it('finds a process that does not know the last event', () => {
    expect(checkHistory(log, truth(), [{ seq: 4, hash: hashes[4]!, models: [] }])).toEqual([expect.stringContaining('there are 5')]);
  });
});
