import { BadEntry, EntrySeal, MAX_SEALED_BYTES } from './entry-seal';

const KEY = `aapi:${'e'.repeat(64)}:${'1'.repeat(64)}`;
const ENTRY = { value: Buffer.from('a value'), storedAt: 1_790_000_000_000.5, expires: 1_790_000_060_000 };

function reasonOf(open: () => unknown): string {
  try {
    open();
    return 'none';
  } catch (error) {
    return (error as BadEntry).reason;
  }
}

describe.each([
  ['a check sum', ''],
  ['a signature', 'a secret of replicas'],
])('an entry with %s', (_what, secret) => {
  const seal = new EntrySeal(secret);
  const sealed = seal.seal(KEY, ENTRY) as string;

  it('is what it was', () => {
    expect(seal.open(KEY, sealed)).toEqual({ ...ENTRY, value: expect.any(Uint8Array) });
    expect(Buffer.from(seal.open(KEY, sealed).value).toString()).toBe('a value');
  });

  it('is the same text each time', () => {
    expect(seal.seal(KEY, ENTRY)).toBe(sealed);
  });

  it('may have no value', () => {
    expect(seal.open(KEY, seal.seal(KEY, { ...ENTRY, value: new Uint8Array() })).value).toHaveLength(0);
  });

  it('is turned away with any bit changed', () => {
    const bytes = Buffer.from(sealed, 'base64');
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(reasonOf(() => seal.open(KEY, changed.toString('base64')))).toBe(bit < 8 ? 'version' : 'check');
    }
  });

  it('is turned away with any of its end missing', () => {
    const bytes = Buffer.from(sealed, 'base64');
    for (let length = 0; length < bytes.length; length++) {
      const reason = reasonOf(() => seal.open(KEY, bytes.subarray(0, length).toString('base64')));
      expect(reason).toBe(length < 49 ? 'form' : 'check');
    }
  });

  it('is turned away under another key', () => {
    expect(reasonOf(() => seal.open(`${KEY.slice(0, -1)}2`, sealed))).toBe('key');
  });

  it.each([undefined, null, 7, {}, [], '', 'no base64 at all !'])('is turned away where it is %j', (other) => {
    expect(reasonOf(() => seal.open(KEY, other))).toBe('form');
  });

  it('is turned away by those with another secret', () => {
    expect(reasonOf(() => new EntrySeal(`${secret}!`).open(KEY, sealed))).toBe('check');
  });

  it('is made for values of a bounded size only', () => {
    expect(seal.seal(KEY, { ...ENTRY, value: Buffer.alloc(MAX_SEALED_BYTES - 49) })).toBeDefined();
    expect(seal.seal(KEY, { ...ENTRY, value: Buffer.alloc(MAX_SEALED_BYTES - 48) })).toBeUndefined();
  });
});
