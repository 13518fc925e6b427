import { gzipSync } from 'node:zlib';
import { paxHeader, tarOf } from '../../../test/archives/tar-bytes';
import { ArchiveFolder } from '../../../test/archives/unpacked';
import { zipOf } from '../../../test/archives/zip-bytes';
import { AppError } from '../../errors/app-error';

const folder = new ArchiveFolder();
beforeAll(() => folder.make());
afterAll(() => folder.remove());

const ENTRIES = [
  { name: 'model.onnx', content: Buffer.from(Array.from({ length: 3000 }, (_, at) => (at * at) % 256)) },
  { name: 'folder/metadata.json', content: '{"a": 1}' },
];
const ZIP = zipOf(ENTRIES);
const TAR = tarOf([paxHeader({ path: 'folder/other', mtime: '1' }), ...ENTRIES]);

describe('two thousand mutants', () => {
  it.each([
    ['of a zip', (random: () => number) => mutant(ZIP, random)],
    ['of a tar.gz', (random: () => number) => mutant(gzipSync(TAR), random)],
    ['of a tar in a gzip', (random: () => number) => gzipSync(mutant(TAR, random), { level: 1 })],
  ])('%s end in files or in a refusal, and leave no file open', async (_what, make) => {
    const random = seeded(4711);
    const ends = new Map<string, number>();
    for (let round = 0; round < 2000; round++) {
      const before = process.cpuUsage(); // of CPUs: others may be busy as well
      const end = await folder.unpack(make(random)).then(() => 'files', endOf);
      ends.set(end, (ends.get(end) ?? 0) + 1);
      const { user, system } = process.cpuUsage(before);
      expect((user + system) / 1000).toBeLessThan(1000);
    }
    expect([...ends.keys()].filter((end) => !['files', 'ARCHIVE_REFUSED', 'ARCHIVE_TOO_LARGE'].includes(end))).toEqual([]);
    expect(ends.get('ARCHIVE_REFUSED')).toBeGreaterThan(500);
    expect(folder.open()).toBe(0);
  });
});

function endOf(error: unknown): string {
  return error instanceof AppError ? error.code : String(error);
}

/** Changes a few bytes, or cuts, doubles or leaves out a piece. */
function mutant(good: Buffer, random: () => number): Buffer {
  const pick = (below: number): number => Math.floor(random() * below);
  const bytes = Buffer.from(good);
  const at = pick(bytes.length);
  const to = at + pick(Math.min(600, bytes.length - at));
  const kind = pick(8);
  if (kind === 0) return bytes.subarray(0, at);
  if (kind === 1) return Buffer.concat([bytes.subarray(0, to), bytes.subarray(at)]);
  if (kind === 2) return Buffer.concat([bytes.subarray(0, at), bytes.subarray(to)]);
  if (kind === 3) return bytes.fill(pick(2) * 255, at, Math.min(at + pick(12), bytes.length));
  for (let change = pick(4); change >= 0; change--) bytes[pick(bytes.length)] = pick(256);
  return bytes;
}

/** mulberry32: the same mutants every time. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
