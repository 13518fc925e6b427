import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CONFIG_GROUPS } from '../src/config/app-config';
import { settingsOf } from '../src/config/setting';
import { STATUS } from '../src/http/problem';

const ROOT = join(__dirname, '..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const rowsOf = (markdown: string, pattern: RegExp): readonly RegExpExecArray[] => [...markdown.matchAll(pattern)];

describe('docs/ERRORS.md', () => {
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.errors.ts'));
  const declared = sources.flatMap((name) => {
    const classes = rowsOf(read(`src/${name}`), /readonly code = '(\w+)';\s+readonly kind = '([\w-]+)' as const;/g);
    return classes.map(([, code, kind]) => `${STATUS[kind as keyof typeof STATUS]} ${code}`);
  });
  const documented = rowsOf(read('docs/ERRORS.md'), /^\| (\d{3}) +\| `(\w+)` +\| [^|]{10,} \| [^|]{10,} \|$/gm).map(
    ([, status, code]) => `${status} ${code}`,
  );

  it('lists every code of the house with its status, and no other', () => {
    expect(declared.length).toBeGreaterThan(30);
    expect([...documented].sort()).toEqual([...declared].sort());
  });

  it('has no code twice', () => {
    const codes = declared.map((line) => line.split(' ')[1]);
    expect(new Set(codes).size).toBe(codes.length);
  });
});

describe('README.md', () => {
  it('has a table of settings that says what the code says', () => {
    const settings = CONFIG_GROUPS.flatMap((group) => settingsOf(group));
    const expected = settings.map(({ name, fallback, about }) => `| \`${name}\` | ${shown(fallback)} | ${about} |`);
    const table = rowsOf(read('README.md'), /^\| `[A-Z_]+` \|.*\|$/gm).map(([row]) => row);
    expect(table).toEqual(expected);
  });
});

function shown(fallback: string | number | readonly string[]): string {
  return String(fallback) === '' ? 'unset' : `\`${String(fallback)}\``;
}
