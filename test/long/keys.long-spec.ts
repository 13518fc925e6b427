import { randomBytes, randomInt } from 'node:crypto';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { mintKey } from '../../src/auth/api-key';
import { KeyOffice } from '../../src/auth/key-office';
import { KeyRing } from '../../src/auth/key-ring';
import { AuthConfig, HttpConfig, StorageConfig } from '../../src/config/app-config';
import { freshFolder, TestApp } from '../e2e/test-app';

const MINUTE_MS = 60_000;

describe('keys, tried for long', () => {
  let folder: string;
  let key: string;
  beforeAll(async () => {
    Logger.overrideLogger(false);
    folder = freshFolder();
    const office = new KeyOffice(join(folder, 'auth', 'keys.json'), folder, 'cli:test');
    key = (await office.create({ name: 'board', scopes: ['models:read'], models: [] })).text;
  });

  it(
    'looks nothing up for a million texts that are no key (AU-04)',
    async () => {
      const ring = new KeyRing(new HttpConfig(), new AuthConfig(), Object.assign(new StorageConfig(), { modelsDir: folder }));
      await ring.refresh();
      const lookUp = jest.spyOn(ring as unknown as { find(id: string): unknown }, 'find');
      for (let at = 0; at < 1_000_000; at++) {
        const ours = `aapi_live_${randomBytes(48).toString('hex').slice(0, 59)}`;
        expect(ring.authenticate(at % 2 === 0 ? randomBytes(randomInt(1, 60)).toString('base64url') : ours)).toBeUndefined();
      }
      expect(lookUp).not.toHaveBeenCalled();
    },
    5 * MINUTE_MS,
  );

  it(
    'lets a valid key in, however many wrong ones come from its address (AU-11)',
    async () => {
      const app = await TestApp.start({ env: { API_KEY: mintKey().text, MODELS_DIR: folder } });
      const ask = async (text: string): Promise<number> => (await app.request().get('/api/v1/models').set('X-API-Key', text)).status;
      const seen = new Map<number, number>();
      const valid = new Set<number>();
      for (let round = 0; round < 500; round++) {
        const wrong = await Promise.all(Array.from({ length: 20 }, () => ask(mintKey().text)));
        for (const status of wrong) seen.set(status, (seen.get(status) ?? 0) + 1);
        valid.add(await ask(key));
      }
      await app.close();
      expect([...valid]).toEqual([200]);
      expect([...seen.keys()].sort()).toEqual([401, 429]);
      expect(seen.get(401)).toBeLessThan(200); // twenty a minute
    },
    5 * MINUTE_MS,
  );
});
