import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import packageJson from '../package.json';

const ROOT = join(__dirname, '..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const all = (text: string, pattern: RegExp): readonly string[] => [...text.matchAll(pattern)].map(([found]) => found);
const doc = read('docs/PERFORMANCE.md');

describe('docs/PERFORMANCE.md', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'analytics-api-performance-'));
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  /** What a script of `bench/` makes of a file. */
  function made(script: string, args: readonly string[], file: string, before = ''): string {
    const path = join(folder, file);
    writeFileSync(path, before);
    execFileSync(process.execPath, [join('bench', script), ...args, path], { cwd: ROOT });
    return readFileSync(path, 'utf8');
  }

  it('has the tables that are made of the figures', () => {
    expect(made('performance-tables.mjs', [], 'PERFORMANCE.md', doc)).toBe(doc);
    expect(made('serving/tables.mjs', ['docs/serving.json'], 'PERFORMANCE.md', doc)).toBe(doc);
    expect(made('cache/tables.mjs', ['docs/cache.json'], 'PERFORMANCE.md', doc)).toBe(doc);
  });

  it.each([
    ['overload-picture.mjs', 'overload'],
    ['serving/picture.mjs', 'serving'],
  ])('has the picture that %s makes of the figures', (script, name) => {
    expect(made(script, [`docs/${name}.json`], `${name}.svg`)).toBe(read(`docs/${name}.svg`));
    expect(doc).toContain(`](${name}.svg)`);
  });

  it.each(['overload', 'serving'])('has a picture that can be read on a light and on a dark ground: %s', (name) => {
    const palettes = all(read(`docs/${name}.svg`), /--ground: .*?(?=\})/g);
    expect(palettes).toHaveLength(2);
    for (const palette of palettes) {
      const [ground, ...others] = all(palette, /(?<!grid: )#\w{6}/g).map(luminance) as [number, ...number[]];
      for (const other of others) expect((Math.max(ground, other) + 0.05) / (Math.min(ground, other) + 0.05)).toBeGreaterThan(4.5);
    }
  });

  it('has no command but scripts that there are', () => {
    const commands = all(doc, /(?<=^```sh\n)[^`]*(?=^```)/gm).flatMap((block) => block.trim().split('\n'));
    const scripts = commands.map((command) => /^npm run ([\w:-]+)/.exec(command)?.[1]);
    expect(scripts.length).toBeGreaterThan(0);
    expect(Object.keys(packageJson.scripts)).toEqual(expect.arrayContaining(scripts));
  });
});

/** Relative, of `#rrggbb`, as the WCAG defines it. */
function luminance(colour: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
