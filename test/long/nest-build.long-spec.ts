import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(__dirname, '..', '..');
const CLI = '@nestjs/cli@12.0.8';

describe('nest-cli.json', () => {
  const folder = mkdtempSync(join(tmpdir(), 'analytics-api-nest-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('is accepted by nest build, which makes the server that npm run build makes', () => {
    for (const file of ['nest-cli.json', 'package.json', 'tsconfig.json', 'tsconfig.build.json'])
      copyFileSync(join(ROOT, file), join(folder, file));
    cpSync(join(ROOT, 'src'), join(folder, 'src'), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    // fetched here, not installed: it would bring a hundred packages for one command
    execFileSync('npm', ['exec', '--yes', '--loglevel=error', `--package=${CLI}`, '--', 'nest', 'build'], {
      cwd: folder,
      stdio: 'inherit',
    });
    for (const file of ['main.js', 'runtime/hosts/host.main.js']) expect(existsSync(join(folder, 'dist', file))).toBe(true);
  }, 180_000);
});
