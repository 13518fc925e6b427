import { createHash } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { Logger } from '@nestjs/common';
import type { BlobName } from '../../storage/blob-store.port';
import { DurableFiles } from '../../storage/durable-files';
import { LOG_START, type LogPosition } from '../../storage/event-log.port';
import { FileBlobStore } from '../../storage/file-blob.store';
import { MemoryEventLog } from '../../storage/memory-event.log';
import { LogDamaged } from '../../storage/storage.errors';
import type { StorageMetrics } from '../../storage/storage.metrics';
import { BlobScrub } from './blob-scrub';
import type { Decision } from '../registry/registry-journal';
import { RegistryState } from '../registry/registry-state';
import type { VersionRecord } from '../registry/registry-records';
import { VersionFaults } from '../serving/version-faults';

const scratch = mkdtempSync(join(tmpdir(), 'scrub-'));
afterAll(() => rm(scratch, { recursive: true, force: true }));

/** A registry on real files, of which every reading is written down. */
class House extends FileBlobStore {
  readonly state = new RegistryState();
  readonly log = new MemoryEventLog();
  readonly damaged = { set: jest.fn<void, [number]>() };
  readonly faults = new VersionFaults({ damagedBlobs: this.damaged } as unknown as StorageMetrics);
  readonly scrub = new BlobScrub(this.state, this, this.log, this.faults);
  /** The names of blobs that were read, and `log`. */
  readonly readings: string[] = [];
  private at: LogPosition = LOG_START;

  constructor(private readonly folder: string) {
    super(folder);
    const { read } = this.log;
    this.log.read = (after) => {
      this.readings.push('log');
      return read.call(this.log, after);
    };
  }

  override verify(name: BlobName): Promise<boolean> {
    this.readings.push(name);
    return super.verify(name);
  }

  /** Publishes a version with a file of its own. */
  async publish(model: string, version: number, bytes = 10): Promise<VersionRecord> {
    const content = Buffer.alloc(bytes, `${version} ${model} `);
    const sha256 = createHash('sha256').update(content).digest('hex');
    const staged = await this.stage(Readable.from([content]), 2 ** 20);
    await this.put(staged);
    await staged.discard();
    const about = { digest: `${version}`, executable: `${version}`, engine: 'onnx', signature: { inputs: [], outputs: [] } } as const;
    const manifest = { files: [{ path: 'model.onnx', size: bytes, sha256 }], metadata: {} };
    await this.tell({ kind: 'version.published', model, version, manifest, ...about });
    return this.state.requireVersion(model, version);
  }

  pathOfBlob({ blob }: VersionRecord): string {
    return join(this.folder, 'blobs', 'sha256', blob.slice(0, 2), blob);
  }

  /** Flips a bit. Again: back. */
  async flip(record: VersionRecord): Promise<void> {
    const path = this.pathOfBlob(record);
    const bytes = await readFile(path);
    bytes[bytes.length >> 1]! ^= 4;
    await chmod(path, 0o644);
    await writeFile(path, bytes);
  }

  /** Everything once, from wherever the rotation stands. */
  async everything(): Promise<void> {
    for (let slice = 0; slice < 2; slice++) await this.scrub.slice(1);
  }

  private async tell(decision: Decision): Promise<void> {
    const entry = await this.log.append(this.at, { ...decision, actor: 'ada', correlationId: 'c' });
    this.at = entry.position;
    this.state.apply(entry);
  }
}

describe(BlobScrub, () => {
  const error = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => {});
  // nothing here is about what survives a power cut
  beforeAll(() => jest.spyOn(DurableFiles.prototype, 'flush').mockResolvedValue());
  afterAll(() => jest.restoreAllMocks());

  let house: House;
  beforeEach(async () => {
    house = new House(await mkdtemp(join(scratch, 'store-')));
    error.mockClear();
  });

  describe('the rotation', () => {
    const SIZES = [1, 7, 300, 2, 40, 41, 1, 90, 5, 13];
    const publishAll = async (): Promise<readonly BlobName[]> => {
      const records: VersionRecord[] = [];
      for (const [at, bytes] of SIZES.entries()) records.push(await house.publish(`model-${at % 3}`, at + 1, bytes));
      return records.map(({ blob }) => blob).sort();
    };
    /** The readings between two looks at the log; the first is the end of a rotation that began anywhere. */
    const rotations = (): readonly (readonly string[])[] => {
      const ends = house.readings.flatMap((reading, at) => (reading === 'log' ? [at] : []));
      // the log is looked at after the first slice of a rotation: what belongs to a rotation goes from first name to last
      return ends.slice(1).map((end, at) => house.readings.slice(ends[at], end).filter((reading) => reading !== 'log'));
    };

    it.each([1 / 1008, 0.01, 0.1, 0.3, 0.5, 0.99, 1, 5])(
      'covers every blob once, and then the log, whatever the share (%d)',
      async (share) => {
        const names = await publishAll();
        for (let slice = 0; rotations().length < 3; slice++) {
          if (slice > 100) throw new Error('it does not come round');
          await house.scrub.slice(share);
        }
        for (const rotation of rotations().slice(0, 3)) expect([...rotation].sort()).toEqual(names);
        expect(house.readings.filter((reading) => reading !== 'log').length).toBeGreaterThanOrEqual(3 * names.length);
      },
    );

    it('comes round in no more slices than its share promises, and reads no more at once than that and one blob', async () => {
      await publishAll();
      const total = SIZES.reduce((sum, bytes) => sum + bytes, 0);
      const bytesOf = new Map(
        house.state.list().flatMap(({ versions }) => [...versions.values()].map((v) => [v.blob, v.manifest.files[0]!.size])),
      );
      const share = 0.05;
      let slices = 0;
      while (house.readings.filter((reading) => reading === 'log').length < 2) {
        const before = house.readings.length;
        await house.scrub.slice(share);
        slices++;
        const read = house.readings.slice(before).filter((reading) => reading !== 'log');
        const last = bytesOf.get(read.at(-1) as string) as number;
        const bytes = read.reduce((sum, name) => sum + (bytesOf.get(name) as number), 0);
        expect(bytes - last).toBeLessThan(total * share);
      }
      expect(slices).toBeLessThanOrEqual(2 * (1 / share) + 2);
    });

    it('reads the bytes of several versions once', async () => {
      const first = await house.publish('iris', 1);
      await house.publish('iris', 1); // the same text, as another model has it
      await house.everything();
      expect(house.readings.filter((reading) => reading === first.blob)).toHaveLength(2); // two slices
    });

    it('begins somewhere else at every start, so that short lives cover everything too', async () => {
      const names = await publishAll();
      const begins = new Set<string>();
      for (const random of [0, 0.2, 0.4, 0.6, 0.8, 0.9999]) {
        const pick = jest.spyOn(Math, 'random').mockReturnValue(random);
        const scrub = new BlobScrub(house.state, house, house.log, house.faults);
        pick.mockRestore();
        const before = house.readings.length;
        await scrub.slice(0.0001);
        begins.add(house.readings[before] as string);
      }
      expect(begins.size).toBeGreaterThan(2);
      for (const begin of begins) expect(names).toContain(begin);
    });

    it('takes in what is published while it goes round', async () => {
      await publishAll();
      await house.scrub.slice(0.3);
      const late = await house.publish('late', 1);
      for (let slice = 0; slice < 20; slice++) await house.scrub.slice(0.3);
      expect(house.readings).toContain(late.blob);
    });

    it('has only the log to read where there is no blob', async () => {
      await house.scrub.slice(0.1);
      expect(house.readings).toEqual(['log']);
    });

    it('does not read what no version needs', async () => {
      const staged = await house.stage(Readable.from([Buffer.from('orphan')]), 100);
      await house.put(staged);
      await staged.discard();
      await house.everything();
      expect(house.readings).not.toContain(staged.digest);
    });
  });

  describe('damage', () => {
    it('is found, named, counted, and harms no other version', async () => {
      const [sound, rotten] = [await house.publish('iris', 1), await house.publish('iris', 2)];
      await house.flip(rotten);
      await house.everything();
      expect(house.faults.isCorrupt(rotten)).toBe(true);
      expect(house.faults.isCorrupt(sound)).toBe(false);
      expect(house.damaged.set).toHaveBeenLastCalledWith(1);
      expect(error).toHaveBeenCalledWith('blob damaged', { blob: rotten.blob });
    });

    it('is a blob that is not there', async () => {
      const lost = await house.publish('iris', 1);
      await rm(house.pathOfBlob(lost));
      await house.everything();
      expect(house.faults.isCorrupt(lost)).toBe(true);
      expect(house.damaged.set).toHaveBeenLastCalledWith(1);
    });

    it.each(['EIO', 'EBADMSG', 'EUCLEAN'])(
      'is a blob that the disk does not give (%s), and the others are read all the same',
      async (code) => {
        const records = [await house.publish('iris', 1), await house.publish('iris', 2), await house.publish('iris', 3)];
        const middle = [...records].sort((a, b) => (a.blob < b.blob ? -1 : 1))[1] as VersionRecord;
        const { read } = house;
        jest.spyOn(house, 'read').mockImplementation(async function* (name) {
          if (name !== middle.blob) return yield* read.call(house, name);
          yield Buffer.from('half');
          throw Object.assign(new Error(code), { code });
        });
        await house.everything();
        expect(records.map((record) => house.faults.isCorrupt(record))).toEqual(records.map((record) => record === middle));
        for (const { blob } of records) expect(house.readings).toContain(blob);
      },
    );

    it('is over when the bytes are good again', async () => {
      const record = await house.publish('iris', 1);
      await house.flip(record);
      await house.everything();
      await house.flip(record);
      await house.everything();
      expect(house.faults.isCorrupt(record)).toBe(false);
      expect(house.damaged.set).toHaveBeenLastCalledWith(0);
    });

    it('is none where the bytes were healed while they were read', async () => {
      const record = await house.publish('iris', 1);
      await house.flip(record);
      const { read } = house;
      jest.spyOn(house, 'read').mockImplementationOnce(async function* (name) {
        yield* read.call(house, name);
        await house.flip(record); // what was there before is what was read
      });
      await house.everything();
      expect(house.faults.isCorrupt(record)).toBe(false);
      expect(error).not.toHaveBeenCalled();
    });

    it('is not what this process lacks: that is passed on, and the same blob comes first again', async () => {
      const record = await house.publish('iris', 1);
      jest.spyOn(house, 'read').mockImplementationOnce(() => {
        throw Object.assign(new Error('EMFILE'), { code: 'EMFILE' });
      });
      await expect(house.everything()).rejects.toMatchObject({ code: 'EMFILE' });
      expect(house.faults.isCorrupt(record)).toBe(false);
      await house.scrub.slice(1);
      expect(house.readings.filter((reading) => reading !== 'log')).toEqual([record.blob, record.blob]);
    });

    it('of the log is told, again and again, and keeps no blob from being read', async () => {
      const record = await house.publish('iris', 1);
      await house.flip(record);
      house.log.read = () => {
        throw new LogDamaged(1, 'it is missing');
      };
      const outcomes: string[] = [];
      for (let slice = 0; slice < 4; slice++) outcomes.push(await house.scrub.slice(1).then(() => 'done', ({ code }) => code)); // prettier-ignore
      expect(outcomes.slice(1)).toEqual(['LOG_DAMAGED', 'LOG_DAMAGED', 'LOG_DAMAGED']); // the first began in the middle, perhaps
      expect(house.faults.isCorrupt(record)).toBe(true);
      expect(house.damaged.set).toHaveBeenLastCalledWith(1);
    });
  });
});
