import { randomBytes } from 'node:crypto';
import { mintKey, readKey, sha256 } from './api-key';

const KEY = /^aapi_live_[0-9A-Za-z]{8}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$/;

describe('a key', () => {
  it('has an id, a secret of 32 bytes and a checksum, and is never the same twice', () => {
    const keys = Array.from({ length: 500 }, mintKey);
    for (const { text, id, sha256: kept } of keys) {
      expect(text).toMatch(KEY);
      const parts = readKey(text);
      expect(parts?.id).toBe(id);
      expect(sha256(parts?.secret as string)).toBe(kept);
      expect(kept).toMatch(/^[0-9a-f]{64}$/);
    }
    expect(new Set(keys.map(({ id }) => id)).size).toBe(500);
    expect(new Set(keys.map(({ sha256: kept }) => kept)).size).toBe(500);
  });

  it('is refused with any one character changed, left out or added', () => {
    const { text } = mintKey();
    for (let at = 0; at < text.length; at++) {
      const other = text[at] === 'a' ? 'b' : 'a';
      // the environment's name is part of what is checked, too
      expect(readKey(text.slice(0, at) + other + text.slice(at + 1))).toBeUndefined();
      expect(readKey(text.slice(0, at) + text.slice(at + 1))).toBeUndefined();
      expect(readKey(text.slice(0, at) + other + text.slice(at))).toBeUndefined();
    }
  });

  it('is not what random text is', () => {
    const { text } = mintKey();
    for (let at = 0; at < 100_000; at++) {
      const noise = randomBytes(32).toString('base64url');
      expect(readKey(noise) ?? readKey(`${text.slice(0, 19)}${noise.slice(0, 43)}${text.slice(-7)}`)).toBeUndefined();
    }
  });

  it.each(['', 'aapi_', 'aapi_live_', 'x'.repeat(100_000), 'aapi_live_'.repeat(10_000)])('is not this (%#)', (text) => {
    expect(readKey(text)).toBeUndefined();
  });
});
