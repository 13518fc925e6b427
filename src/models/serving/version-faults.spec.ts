import { ModelDamaged, ModelRefused } from '../../runtime/runtime.errors';
import { BlobMissing } from '../../storage/storage.errors';
import type { StorageMetrics } from '../../storage/storage.metrics';
import type { VersionRecord } from '../registry/registry-records';
import { reasonOf, VersionFaults } from './version-faults';

const BLOB = 'a'.repeat(64);
const version = (number: number, blob = BLOB) => ({ model: 'iris', version: number, blob }) as VersionRecord;
const DAMAGED = new ModelDamaged(BLOB, 'b'.repeat(64));

describe(VersionFaults, () => {
  let faults: VersionFaults;
  let damagedBlobs: number;
  let now: number;
  beforeEach(() => {
    damagedBlobs = 0;
    const gauge = { set: (value: number) => (damagedBlobs = value) };
    faults = new VersionFaults({ damagedBlobs: gauge } as unknown as StorageMetrics);
    now = 1000;
    jest.spyOn(performance, 'now').mockImplementation(() => now);
  });
  afterEach(() => jest.restoreAllMocks());

  it('knows of nothing at first', () => {
    expect(faults.blocking(version(1))).toBeUndefined();
    expect(faults.isCorrupt(version(1))).toBe(false);
    expect(faults.all).toEqual([]);
    expect(damagedBlobs).toBe(0);
  });

  it('needs nobody who counts', () => {
    const uncounted = new VersionFaults();
    uncounted.noteDamage(BLOB);
    expect(uncounted.isCorrupt(version(1))).toBe(true);
  });

  it('keeps a version from being tried again for five seconds', () => {
    const record = version(1);
    faults.note(record, DAMAGED);
    now = 5999;
    expect(faults.blocking(record)).toEqual({ reason: DAMAGED.message, corrupt: true, at: 1000 });
    now = 6000;
    expect(faults.blocking(record)).toBeUndefined();
    expect(faults.all).toHaveLength(1); // still not loaded
  });

  it.each([
    ['whose bytes are not what was uploaded', DAMAGED],
    ['whose file is lost', new BlobMissing(BLOB)],
  ])('calls a version corrupt %s, and every other version of the same file', (_what, error) => {
    const [one, twin, other] = [version(1), version(2), version(3, 'c'.repeat(64))];
    faults.note(one, error);
    expect([one, twin, other].map((record) => faults.isCorrupt(record))).toEqual([true, true, false]);
    expect(damagedBlobs).toBe(1);
    expect(faults.blocking(twin)).toBeUndefined(); // it has not been tried
  });

  it.each([
    ['that an engine refuses', new ModelRefused('no such operator')],
    ['that cannot be read now', new Error('EMFILE: too many open files')],
  ])('does not call a version corrupt %s', (_what, error) => {
    const record = version(1);
    faults.note(record, error);
    expect(faults.isCorrupt(record)).toBe(false);
    expect(faults.blocking(record)?.corrupt).toBe(false);
    expect(damagedBlobs).toBe(0);
  });

  it('does not forget that the file is damaged because of another fault', () => {
    const record = version(1);
    faults.note(record, DAMAGED);
    faults.note(record, new Error('EMFILE'));
    expect(faults.isCorrupt(record)).toBe(true);
  });

  it('forgets all of a version that was loaded', () => {
    const record = version(1);
    faults.note(record, DAMAGED);
    faults.clear(record);
    expect(faults.all).toEqual([]);
    expect(faults.isCorrupt(record)).toBe(false);
    expect(damagedBlobs).toBe(0);
  });

  it('counts a blob once, whoever found it', () => {
    faults.note(version(1), DAMAGED);
    faults.noteDamage(BLOB);
    faults.noteDamage('c'.repeat(64));
    expect(damagedBlobs).toBe(2);
    expect(faults.isCorrupt(version(7, 'c'.repeat(64)))).toBe(true);
    expect(faults.all).toHaveLength(1);
  });

  describe('of healed bytes', () => {
    it('calls no version corrupt any more, and lets each be tried at once', () => {
      const [one, twin, other] = [version(1), version(2), version(3, 'c'.repeat(64))];
      for (const record of [one, twin, other]) faults.note(record, DAMAGED);
      faults.healed(BLOB);
      expect([one, twin, other].map((record) => faults.isCorrupt(record))).toEqual([false, false, true]);
      expect([one, twin, other].map((record) => faults.blocking(record) === undefined)).toEqual([true, true, false]);
      expect(damagedBlobs).toBe(1);
    });

    it('goes on naming a version that is not in memory yet', () => {
      const record = version(1);
      faults.note(record, DAMAGED);
      faults.healed(BLOB);
      expect(faults.all.map(([{ version: number }]) => number)).toEqual([1]);
      faults.clear(record);
      expect(faults.all).toEqual([]);
    });

    // a scrub finds every week that the bytes of a version are whole that no engine can load
    it('goes on naming a version whose fault was another one', () => {
      faults.note(version(1), new ModelRefused('no such operator'));
      faults.healed(BLOB);
      expect(faults.all).toHaveLength(1);
    });
  });

  it('tells a caller what this house refused, and nothing of what the system said', () => {
    expect(reasonOf(DAMAGED)).toBe('The stored file of the model is not what was uploaded');
    expect(reasonOf(new Error('EACCES: /secret/path'))).toBe('its file cannot be read');
    expect(reasonOf('a text')).toBe('its file cannot be read');
  });
});
