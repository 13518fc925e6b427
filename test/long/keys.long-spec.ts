import { randomBytes, randomInt } from 'node:crypto';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { keyText, mintKey } from '../../src/auth/api-key';
import { KeyOffice } from '../../src/auth/key-office';
import { KeyRing } from '../../src/auth/key-ring';
import { AuthConfig, HttpConfig, StorageConfig } from '../../src/config/app-config';
import { freshFolder, TestApp } from '../e2e/test-app';

const MINUTE_MS = 60_000;
const SAMPLES = 100_000;
const WARM_UP = 20_000;
/** Welch's t beyond which two samples are held to differ: https://www.rambus.com/wp-content/uploads/2015/08/TVLA-DTR-with-AES.pdf */
const TELLING_T = 4.5;

describe('keys, tried for long', () => {
  let folder: string;
  let key: string;
  beforeAll(async () => {
    Logger.overrideLogger(false);
    folder = freshFolder();
    const office = new KeyOffice(join(folder, 'auth', 'keys.json'), folder, 'cli:test');
    key = (await office.create({ name: 'board', scopes: ['models:read'], models: [] })).text;
  });

  const openRing = async (): Promise<KeyRing> => {
    const ring = new KeyRing(new HttpConfig(), new AuthConfig(), Object.assign(new StorageConfig(), { modelsDir: folder }));
    await ring.refresh();
    return ring;
  };

  it(
    'looks nothing up for a million texts that are no key (AU-04)',
    async () => {
      const ring = await openRing();
      const lookUp = jest.spyOn(ring as unknown as { find(id: string): unknown }, 'find');
      for (let at = 0; at < 1_000_000; at++) {
        const text =
          at % 2 === 0 ? randomBytes(randomInt(1, 60)).toString('base64url') : `aapi_live_${randomBytes(48).toString('hex').slice(0, 59)}`;
        expect(ring.authenticate(text)).toBeUndefined();
      }
      expect(lookUp).not.toHaveBeenCalled();
    },
    5 * MINUTE_MS,
  );

  it(
    'takes as long for a secret that begins rightly as for one that does not (AU-05)',
    async () => {
      const ring = await openRing();
      const [, , id, secret] = key.split('_') as [string, string, string, string];
      // another guess each time: two fixed texts may differ by where they lie in memory
      const guess = (begin: string): string => keyText(id, begin + mintKey().text.split('_')[3]!.slice(begin.length));
      const other = secret.startsWith('1') ? '2' : '1';
      const guesses = Array.from(
        { length: WARM_UP + SAMPLES },
        (_, at) => [at % 2, guess(at % 2 === 0 ? secret.slice(0, 8) : other)] as const,
      );
      const times: [number[], number[]] = [[], []];
      for (const [at, [side, text]] of guesses.entries()) {
        const startedAt = process.hrtime.bigint();
        ring.authenticate(text);
        const took = Number(process.hrtime.bigint() - startedAt);
        if (at >= WARM_UP) times[side as 0 | 1].push(took);
      }
      const [a, b] = times.map((list) => trimmed(list)) as [Sample, Sample];
      const t = Math.abs(a.mean - b.mean) / Math.sqrt(a.variance / a.count + b.variance / b.count);
      expect(t).toBeLessThan(TELLING_T);
    },
    2 * MINUTE_MS,
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

interface Sample {
  readonly count: number;
  readonly mean: number;
  readonly variance: number;
}

/** Without the slowest tenth: what the machine did meanwhile. */
function trimmed(times: readonly number[]): Sample {
  const kept = times.toSorted((x, y) => x - y).slice(0, Math.floor(times.length * 0.9));
  const mean = kept.reduce((sum, time) => sum + time, 0) / kept.length;
  const variance = kept.reduce((sum, time) => sum + (time - mean) ** 2, 0) / (kept.length - 1);
  return { count: kept.length, mean, variance };
}
