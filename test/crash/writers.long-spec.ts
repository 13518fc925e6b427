import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runWriters } from './writers';

const MS = 300_000;
const AGREE_MS = 2000;

const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31);
const folder = mkdtempSync(join(tmpdir(), 'analytics-api-writers-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe(`8 processes on one registry for 5 minutes, killed and stopped at random (SEED=${seed})`, () => {
  it('are told nothing that is not so, and know the same versions within 2 s when it is quiet', async () => {
    const { violations, agreedMs, ...figures } = await runWriters({ folder: join(folder, 'sound'), seed, ms: MS });
    console.log({ seed, agreedMs: Math.round(agreedMs), ...figures });
    expect({ seed, violations: violations.slice(0, 20) }).toEqual({ seed, violations: [] });
    expect(agreedMs).toBeLessThan(AGREE_MS);
  }, 600_000);
});
