import type { Progress } from '../backup/snapshot/snapshot-records';
import { bytesText, spanText } from './amounts';
import { ProgressLine } from './progress-line';

const MIB = 2 ** 20;

function copying(doneMib: number, phase = 'copying'): Progress {
  return { phase, doneBytes: doneMib * MIB, allBytes: 1000 * MIB, doneObjects: Math.floor(doneMib / 100), allObjects: 10 };
}

describe(ProgressLine, () => {
  let now = 0;
  const lines: string[] = [];
  let drawn = '';
  const output = { out: () => {}, err: (line: string) => void lines.push(line) };
  const terminal = { ...output, terminal: (text: string) => void (drawn += text) };
  beforeEach(() => {
    [now, drawn] = [0, ''];
    lines.length = 0;
  });
  const lineOn = (where: typeof output, quiet = false): ProgressLine => new ProgressLine(where, quiet, () => now);

  it('tells rate and time left on a terminal, on one line', () => {
    const line = lineOn(terminal);
    line.tell(copying(0));
    now = 2000;
    line.tell(copying(200));
    expect(drawn.split('\r').at(-1)).toBe('\u001b[Kcopying: 2 of 10 objects, 200 MiB of 1.0 GiB, 20 %, 100 MiB/s, 8 s left');
    expect(drawn).not.toContain('\n');
    expect(lines).toEqual([]);
    line.end();
    expect(drawn.endsWith('\r\u001b[K')).toBe(true);
    const all = drawn;
    line.end();
    expect(drawn).toBe(all);
  });

  it('draws at most ten times a second, and says at once that another step begins', () => {
    const line = lineOn(terminal);
    for (now = 0; now < 1000; now += 1) line.tell(copying(now / 10));
    expect(drawn.split('\r').length - 1).toBe(10);
    line.tell(copying(100, 'committing'));
    expect(drawn).toContain('committing');
  });

  it('tells plain lines elsewhere, every five seconds', () => {
    const line = lineOn(output);
    for (now = 0; now <= 12_000; now += 50) line.tell(copying(now / 20));
    expect(lines).toHaveLength(3);
    expect(lines.at(-1)).toMatch(/^copying: 5 of 10 objects, 500 MiB of 1.0 GiB, 50 %, 50 MiB\/s, 10 s left$/);
    expect(lines.join('')).not.toContain('\u001b');
  });

  it('tells nothing where it shall be quiet', () => {
    for (const where of [output, terminal]) {
      const line = lineOn(where, true);
      line.tell(copying(1));
      line.end();
    }
    expect([drawn, lines]).toEqual(['', []]);
  });

  it('fits on a terminal of 80 columns', () => {
    const line = lineOn(terminal);
    const large = { phase: 'describing', doneBytes: 1, allBytes: 2 ** 60, doneObjects: 123_456_789, allObjects: 987_654_321 };
    line.tell(large);
    now = 1000;
    line.tell({ ...large, doneBytes: 2 });
    for (const text of drawn.split('\r\u001b[K')) expect(text.length).toBeLessThan(80);
  });
});

describe(bytesText, () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 KiB'],
    [1024, '1.0 KiB'],
    [10_239, '10 KiB'],
    [2 ** 20 * 347, '347 MiB'],
    [2 ** 30 - 1, '1.0 GiB'],
    [2 ** 40 * 1.25, '1.3 TiB'],
  ])('of %i is %s', (bytes, text) => {
    expect(bytesText(bytes)).toBe(text);
  });

  it('has seven characters at most', () => {
    for (let bytes = 1; bytes < 2 ** 53; bytes = Math.ceil(bytes * 1.01)) expect(bytesText(bytes).length).toBeLessThanOrEqual(7);
  });
});

describe(spanText, () => {
  it.each([
    [0.2, '1 s'],
    [59, '59 s'],
    [59.5, '1 min 00 s'],
    [200, '3 min 20 s'],
    [7500, '2 h 05 min'],
  ])('of %d seconds is %s', (seconds, text) => {
    expect(spanText(seconds)).toBe(text);
  });
});
