import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const EXAMPLE = join(__dirname, '..', '..', 'examples', 'market-tfjs');

jest.setTimeout(300_000);

describe('examples/market-tfjs', () => {
  it('is what its script makes, byte for byte', () => {
    const scratch = mkdtempSync(join(tmpdir(), 'analytics-api-market-'));
    execFileSync(process.execPath, [join(EXAMPLE, 'train.mjs'), scratch], { stdio: 'pipe' });
    const made = readdirSync(scratch);
    const different = made.filter((file) => !readFileSync(join(scratch, file)).equals(readFileSync(join(EXAMPLE, file))));
    rmSync(scratch, { recursive: true });
    expect(made).toHaveLength(5);
    expect(different).toEqual([]);
  });
});
