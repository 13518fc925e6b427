import { createHash, randomBytes } from 'node:crypto';
import { access, readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { BlobInfo, BlobStore, StagedBlob } from '../../src/storage/blob-store.port';
import { BlobMissing, SourceTooLarge } from '../../src/storage/storage.errors';

const NEVER_STORED = 'f'.repeat(64);

const sha256 = (content: string): string => createHash('sha256').update(content).digest('hex');

/** What every BlobStore owes its callers. An adapter's spec is one line: `blobStoreContract(() => new MyStore())`. */
export function blobStoreContract(makeStore: () => Promise<BlobStore> | BlobStore): void {
  let store: BlobStore;
  let staged: StagedBlob[] = [];

  const stage = async (content: string, maxBytes = 2 ** 20): Promise<StagedBlob> => {
    const blob = await store.stage(Readable.from([Buffer.from(content)]), maxBytes);
    staged.push(blob);
    return blob;
  };
  const put = async (content: string, name?: string): Promise<BlobInfo> => store.put(await stage(content), name);
  const read = async (name: string): Promise<string> => text(await store.open(name));
  const list = (): Promise<BlobInfo[]> => Readable.from(store.list()).toArray();

  beforeEach(async () => {
    store = await makeStore();
  });

  afterEach(async () => {
    await Promise.all(staged.map((blob) => blob.discard()));
    staged = [];
  });

  it('is read in pieces that need not last, all of a blob and as much of it as is asked for', async () => {
    const large = randomBytes(200_000).toString('base64');
    const { name } = await put(large);
    let joined = '';
    for await (const piece of store.read(name)) joined += Buffer.from(piece).toString();
    expect(joined).toBe(large);
    for await (const piece of store.read(name)) {
      expect(large.startsWith(Buffer.from(piece).toString())).toBe(true);
      break;
    }
    const nothing = store.read(sha256('nothing'))[Symbol.asyncIterator]();
    await expect(nothing.next()).rejects.toBeInstanceOf(BlobMissing);
  });

  describe('holding on to stored bytes', () => {
    const retain = async (name: string): Promise<StagedBlob> => {
      const blob = await store.retain(name);
      staged.push(blob);
      return blob;
    };

    it('keeps them when their name goes, and stores them under another', async () => {
      const { name } = await put('bytes');
      const held = await retain(name);
      await store.remove(name);
      expect(held).toMatchObject({ digest: sha256('bytes'), bytes: 5 });
      expect(await readFile(held.path, 'utf8')).toBe('bytes');
      await store.put(held, `${name}.7`);
      expect(await read(`${name}.7`)).toBe('bytes');
      expect(await list()).toMatchObject([{ name: `${name}.7` }]);
    });

    it('leaves the stored ones alone when it is given up', async () => {
      const { name } = await put('bytes');
      await (await store.retain(name)).discard();
      expect(await read(name)).toBe('bytes');
    });

    it('refuses what is not there', async () => {
      await expect(store.retain(NEVER_STORED)).rejects.toBeInstanceOf(BlobMissing);
    });
  });

  describe('while staging', () => {
    it('hashes and counts the bytes of all chunks', async () => {
      const blob = await store.stage(Readable.from([Buffer.from('by'), Buffer.from('t'), Buffer.from('es')]), 100);
      staged.push(blob);
      expect(blob).toMatchObject({ digest: sha256('bytes'), bytes: 5 });
    });

    it('takes in an empty source', async () => {
      expect(await stage('')).toMatchObject({ digest: sha256(''), bytes: 0 });
    });

    it('shows the bytes as a local file', async () => {
      expect(await readFile((await stage('bytes')).path, 'utf8')).toBe('bytes');
    });

    it('gives the same bytes a path of their own each time they come', async () => {
      const [one, other] = [await stage('bytes'), await stage('bytes')];
      await one.discard();
      expect(await readFile(other.path, 'utf8')).toBe('bytes');
    });

    it('stores nothing', async () => {
      const { digest } = await stage('bytes');
      expect(await list()).toMatchObject([]);
      await expect(store.open(digest)).rejects.toBeInstanceOf(BlobMissing);
    });

    it('takes as many bytes as are allowed', async () => {
      expect(await stage('12345', 5)).toMatchObject({ bytes: 5 });
    });

    it('refuses one byte more, asks no more of the source and closes it', async () => {
      const seen: string[] = [];
      const endless = async function* (): AsyncIterable<Uint8Array> {
        try {
          for (;;) {
            seen.push('chunk');
            yield Buffer.from('123');
          }
        } finally {
          seen.push('closed');
        }
      };
      await expect(store.stage(endless(), 5)).rejects.toBeInstanceOf(SourceTooLarge);
      expect(seen).toEqual(['chunk', 'chunk', 'closed']);
      expect(await list()).toMatchObject([]);
    });

    it('stores nothing when the source fails half way, and passes its error on unchanged', async () => {
      const failure = new Error('client went away');
      const failing = async function* (): AsyncIterable<Uint8Array> {
        yield Buffer.from('half');
        throw failure;
      };
      await expect(store.stage(failing(), 100)).rejects.toBe(failure);
      expect(await list()).toMatchObject([]);
      await expect(store.open(sha256('half'))).rejects.toBeInstanceOf(BlobMissing);
    });

    it('discards, and discards again without complaint', async () => {
      const blob = await stage('bytes');
      await blob.discard();
      await blob.discard();
      await expect(access(blob.path)).rejects.toMatchObject({ code: 'ENOENT' });
    });
  });

  describe('while putting', () => {
    it('gives back what was put, under its digest', async () => {
      expect(await put('bytes')).toEqual({ name: sha256('bytes'), bytes: 5 });
      expect(await read(sha256('bytes'))).toBe('bytes');
    });

    it('gives back a blob of many chunks', async () => {
      const content = 'a line of a large blob\n'.repeat(20_000);
      const { name, bytes } = await put(content);
      expect(bytes).toBe(content.length);
      expect(sha256(await read(name))).toBe(sha256(content));
    });

    it('keeps a blob without bytes', async () => {
      const { name } = await put('');
      expect(await read(name)).toBe('');
      expect(await list()).toMatchObject([{ name, bytes: 0 }]);
    });

    it('stores bytes anew under the name that follows a condemned one', async () => {
      const renewed = `${sha256('bytes')}.12`;
      expect(await put('bytes', renewed)).toEqual({ name: renewed, bytes: 5 });
      expect(await read(renewed)).toBe('bytes');
      await expect(store.open(sha256('bytes'))).rejects.toBeInstanceOf(BlobMissing);
    });

    it('stores one staged blob under two names', async () => {
      const blob = await stage('bytes');
      const [first, second] = [await store.put(blob), await store.put(blob, `${blob.digest}.7`)];
      await store.remove(first.name);
      expect(await read(second.name)).toBe('bytes');
    });

    it('takes the same bytes twice and stores them once', async () => {
      const first = await put('bytes');
      expect(await put('bytes')).toEqual(first);
      expect(await list()).toMatchObject([first]);
      expect(await read(first.name)).toBe('bytes');
    });

    it('lets many put the same bytes at the same time', async () => {
      const infos = await Promise.all(Array.from({ length: 12 }, () => put('bytes')));
      expect(new Set(infos.map(({ name }) => name))).toEqual(new Set([sha256('bytes')]));
      expect(await list()).toMatchObject([{ name: sha256('bytes'), bytes: 5 }]);
      expect(await read(sha256('bytes'))).toBe('bytes');
    });

    it('keeps what was put when the staged bytes are discarded', async () => {
      const blob = await stage('bytes');
      await store.put(blob);
      await blob.discard();
      expect(await read(blob.digest)).toBe('bytes');
    });

    it('refuses staged bytes that are discarded, and stores nothing', async () => {
      const blob = await stage('bytes');
      await blob.discard();
      await expect(store.put(blob)).rejects.toThrow();
      expect(await list()).toMatchObject([]);
    });
  });

  describe('while reading', () => {
    it('reads one blob twice at the same time', async () => {
      const { name } = await put('bytes');
      expect(await Promise.all([read(name), read(name)])).toEqual(['bytes', 'bytes']);
    });

    it('gives a blob as a local file, and keeps the blob when that is released', async () => {
      const { name } = await put('bytes');
      const local = await store.local(name);
      expect(await readFile(local.path, 'utf8')).toBe('bytes');
      await local.release();
      expect(await read(name)).toBe('bytes');
    });

    it.each([
      ['a digest that was never stored', NEVER_STORED],
      ['a renewed name that was never stored', `${NEVER_STORED}.3`],
      ['a name outside the grammar', 'model.onnx'],
    ])('says BlobMissing for %s', async (_what, name) => {
      await put('something else');
      await expect(store.open(name)).rejects.toBeInstanceOf(BlobMissing);
      await expect(store.local(name)).rejects.toBeInstanceOf(BlobMissing);
      await expect(store.quarantine(name)).rejects.toBeInstanceOf(BlobMissing);
    });

    it('lists nothing before the first blob', async () => {
      expect(await list()).toMatchObject([]);
    });

    it('lists every blob with its size, in the order of names', async () => {
      const contents = ['a', 'bb', 'ccc', 'dddd', 'eeeee', 'ffffff'];
      const infos: BlobInfo[] = [];
      for (const content of contents) infos.push(await put(content), await put(content, `${sha256(content)}.2`));
      infos.push(await put('a', `${sha256('a')}.10`));
      const found = await list();
      expect(found.map(({ name }) => name)).toEqual(infos.map(({ name }) => name).sort());
      expect(found).toEqual(expect.arrayContaining(infos.map((info) => expect.objectContaining(info))));
    });

    it('goes on listing when a blob is removed meanwhile', async () => {
      const [first, removed, last] = [await put('a'), await put('a', `${sha256('a')}.1`), await put('a', `${sha256('a')}.2`)];
      const seen: BlobInfo[] = [];
      for await (const info of store.list()) {
        seen.push(info);
        if (info.name === first.name) await store.remove(removed.name);
      }
      expect(seen).toEqual(expect.arrayContaining([expect.objectContaining(first), expect.objectContaining(last)]));
    });
  });

  describe('while taking out of service', () => {
    it('serves and lists a blob in quarantine no more', async () => {
      const [bad, good] = [await put('bad'), await put('good')];
      await store.quarantine(bad.name);
      await expect(store.open(bad.name)).rejects.toBeInstanceOf(BlobMissing);
      await expect(store.local(bad.name)).rejects.toBeInstanceOf(BlobMissing);
      await expect(store.quarantine(bad.name)).rejects.toBeInstanceOf(BlobMissing);
      expect(await list()).toMatchObject([good]);
    });

    it('stores a blob again that is in quarantine', async () => {
      const { name } = await put('bytes');
      await store.quarantine(name);
      await put('bytes');
      expect(await read(name)).toBe('bytes');
    });

    it('removes, and removes again without complaint', async () => {
      const [removed, kept] = [await put('removed'), await put('kept')];
      await store.remove(removed.name);
      await store.remove(removed.name);
      await expect(store.open(removed.name)).rejects.toBeInstanceOf(BlobMissing);
      expect(await list()).toMatchObject([kept]);
    });

    it('removes what was never there without complaint, whatever it is called', async () => {
      const kept = await put('kept');
      await store.remove(NEVER_STORED);
      await store.remove('model.onnx');
      expect(await list()).toMatchObject([kept]);
    });

    it('stores a blob again that was removed', async () => {
      const { name } = await put('bytes');
      await store.remove(name);
      await put('bytes');
      expect(await read(name)).toBe('bytes');
    });
  });
}
