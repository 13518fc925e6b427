import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { AuthConfig, HttpConfig, StorageConfig } from '../config/app-config';
import { keyText, mintKey, readKey } from './api-key';
import { KeyFile } from './key-file';
import { KeyRing } from './key-ring';

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

describe(KeyRing, () => {
  let folder: string;
  let ring: KeyRing;

  const open = (settings: { http?: Partial<HttpConfig>; auth?: Partial<AuthConfig> } = {}): KeyRing => {
    const storage = Object.assign(new StorageConfig(), { modelsDir: folder });
    ring = new KeyRing(Object.assign(new HttpConfig(), settings.http), Object.assign(new AuthConfig(), settings.auth), storage);
    return ring;
  };
  const write = async (): Promise<string> => {
    const { text, id, sha256 } = mintKey();
    const record = { id, name: 'board', sha256, scopes: ['predict'] as const, models: [], createdAt: new Date().toISOString() };
    await new KeyFile(join(folder, 'auth', 'keys.json')).change(async (keys) => [...keys, record]);
    return text;
  };

  beforeAll(() => Logger.overrideLogger(false));
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'key-ring-'))));
  afterEach(async () => {
    await ring.beforeApplicationShutdown();
    rmSync(folder, { recursive: true });
  });

  it('looks nothing up for a text that is no key', async () => {
    const text = await write();
    await open().refresh();
    const lookUp = jest.spyOn(ring as unknown as { find(id: string): unknown }, 'find');
    for (let at = 0; at < 100_000; at++) {
      const noise = Array.from(randomBytes(49), (byte) => BASE62.charAt(byte % 62)).join('');
      expect(ring.authenticate(`${text.slice(0, 19)}${noise.slice(0, 43)}_${noise.slice(43)}`)).toBeUndefined();
    }
    expect(lookUp.mock.calls.length).toBeLessThanOrEqual(1); // a checksum of 32 bits may be met by chance
    lookUp.mockClear();
    expect(ring.authenticate(text)?.name).toBe('board');
    expect(lookUp).toHaveBeenCalledTimes(1);
  });

  it('does not take another secret under a known id', async () => {
    const text = await write();
    await open().refresh();
    const { id, secret } = readKey(text) as { id: string; secret: string };
    const { secret: other } = readKey(mintKey().text) as { secret: string };
    const lookUp = jest.spyOn(ring as unknown as { find(id: string): unknown }, 'find');
    expect(ring.authenticate(keyText(id, secret))).toBeDefined();
    for (const wrong of [other, secret.slice(0, -1) + (secret.endsWith('a') ? 'b' : 'a')]) {
      expect(ring.authenticate(keyText(id, wrong))).toBeUndefined();
    }
    expect(lookUp).toHaveBeenCalledTimes(3); // it was not for its form that they were refused
  });

  it.each([
    [{}, {}, false, false],
    [{}, { apiKey: 'the-key-of-the-environment' }, false, true],
    [{}, {}, true, true],
    [{ authMode: 'none' }, { apiKey: 'the-key-of-the-environment' }, true, false],
    [{ host: '0.0.0.0' }, {}, false, true],
    [{ host: '0.0.0.0', authMode: 'none' }, {}, false, false],
    [{ host: '::1' }, {}, false, false],
  ])('with %j, %j and a key in the file: %s, asks for keys: %s', async (http, auth, inFile, required) => {
    if (inFile) await write();
    await open({ http, auth }).refresh();
    expect(ring.required).toBe(required);
  });

  it('asks for keys until it knows that there are none', async () => {
    expect(open().required).toBe(true);
    await ring.refresh();
    expect(ring.required).toBe(false);
  });

  it('compares the whole text of the key of the environment', async () => {
    const apiKey = 'the-key-of-the-environment';
    await open({ auth: { apiKey } }).refresh();
    expect(ring.authenticate(apiKey)).toMatchObject({ actor: 'key:API_KEY' });
    for (const wrong of ['', apiKey.slice(1), `${apiKey}x`, apiKey.toUpperCase()]) expect(ring.authenticate(wrong)).toBeUndefined();
  });
});
