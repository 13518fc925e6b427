import { appendFileSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LogFiles } from './log-files';

const DAY = '2026-11-23';
const LIMITS = { maxBytes: 100, count: 3 };
const line = (bytes: number): string => `${'x'.repeat(bytes - 1)}\n`;

describe(LogFiles, () => {
  let folder: string;
  beforeEach(() => {
    folder = join(mkdtempSync(join(tmpdir(), 'log-files-')), 'made', 'deep');
    jest.useFakeTimers({ now: new Date(`${DAY}T12:00:00Z`), doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
  });
  afterEach(async () => {
    jest.useRealTimers();
    await Promise.all(opened.splice(0).map((files) => files.close()));
    rmSync(join(folder, '..', '..'), { recursive: true, force: true });
  });

  const opened: LogFiles[] = [];
  function open(limits = LIMITS): LogFiles {
    const files = new LogFiles(folder, limits);
    opened.push(files);
    return files;
  }
  const names = (): readonly string[] => readdirSync(folder).sort();
  const contents = (name: string): string => readFileSync(join(folder, name), 'utf8');
  async function append(files: LogFiles, text: string): Promise<void> {
    writeSync((await files.next(Buffer.byteLength(text))).fd, text);
  }

  it('makes the folder, and goes on in one file until it is full to the byte', async () => {
    const files = open();
    for (const bytes of [40, 40, 20]) await append(files, line(bytes));
    expect(names()).toEqual([`analytics-api-${DAY}.1.log`]);
    await append(files, line(1));
    expect(names()).toEqual([`analytics-api-${DAY}.1.log`, `analytics-api-${DAY}.2.log`]);
    expect(contents(`analytics-api-${DAY}.1.log`)).toBe(line(40) + line(40) + line(20));
  });

  it('takes what is larger than a file, alone', async () => {
    const files = open();
    for (const bytes of [10, 500, 10]) await append(files, line(bytes));
    expect(names().map((name) => contents(name).length)).toEqual([10, 500, 10]);
  });

  it('begins another file when the day is over (UTC)', async () => {
    const files = open();
    jest.setSystemTime(new Date(`${DAY}T23:59:59.999Z`));
    await append(files, line(10));
    jest.setSystemTime(new Date('2026-11-24T00:00:00.000Z'));
    await append(files, line(10));
    expect(names()).toEqual([`analytics-api-${DAY}.1.log`, 'analytics-api-2026-11-24.1.log']);
  });

  it('goes on with the newest file of the day after a restart, by its number and not by its name', async () => {
    const first = open({ ...LIMITS, count: 20 });
    for (let at = 0; at < 11; at++) await append(first, line(90));
    const second = open({ ...LIMITS, count: 20 });
    await append(second, line(5));
    expect(contents(`analytics-api-${DAY}.11.log`)).toBe(line(90) + line(5));
    expect(names()).toHaveLength(11);
    await append(open(), line(5));
    expect(names()).toEqual([10, 11, 9].map((number) => `analytics-api-${DAY}.${number}.log`));
  });

  it('ends the half line of a server that was killed, and no whole one', async () => {
    await append(open(), '{"msg":"hal');
    await append(open(), line(10));
    await append(open(), line(10));
    expect(contents(`analytics-api-${DAY}.1.log`)).toBe(`{"msg":"hal\n${line(10)}${line(10)}`);
  });

  it('keeps so many files across restarts and days, the newest, and none of other names', async () => {
    const strangers = ['analytics-api.log', `analytics-api-${DAY}.1.log.gz`, `analytics-api-${DAY}.0.log`, 'notes.txt'];
    await append(open(), line(90));
    for (const name of strangers) writeFileSync(join(folder, name), 'stranger');
    for (const day of [20, 9, 22, 21]) writeFileSync(join(folder, `analytics-api-2026-11-${String(day).padStart(2, '0')}.1.log`), line(9));
    await append(open(), line(90));
    expect(names().filter((name) => !strangers.includes(name))).toEqual([
      'analytics-api-2026-11-22.1.log',
      `analytics-api-${DAY}.1.log`,
      `analytics-api-${DAY}.2.log`,
    ]);
    expect(names()).toEqual(expect.arrayContaining(strangers));
  });

  it('never takes away what it writes, also by a clock that was set back', async () => {
    for (const day of ['2027-01-01', '2027-01-02', '2027-01-03', '2027-01-04']) {
      jest.setSystemTime(new Date(`${day}T12:00:00Z`));
      await append(open(), line(10));
    }
    jest.setSystemTime(new Date('1970-01-01T00:00:00Z'));
    const files = open();
    for (const bytes of [60, 60, 60]) await append(files, line(bytes));
    expect(names()).toEqual(['analytics-api-1970-01-01.3.log', 'analytics-api-2027-01-03.1.log', 'analytics-api-2027-01-04.1.log']);
  });

  it.each([
    ['whose folder was taken away', () => rmSync(folder, { recursive: true })],
    ['that was taken away', () => rmSync(join(folder, `analytics-api-${DAY}.1.log`))],
    ['that was moved away', () => renameSync(join(folder, `analytics-api-${DAY}.1.log`), join(folder, 'kept'))],
  ])('begins another file a second later instead of one %s', async (_, harm) => {
    const files = open();
    await append(files, line(10));
    harm();
    jest.advanceTimersByTime(1001);
    await append(files, line(20));
    expect(contents(`analytics-api-${DAY}.1.log`)).toBe(line(20));
  });

  it('leaves a file whose name is another one’s a second later, and joins that', async () => {
    const files = open();
    await append(files, line(10));
    writeFileSync(join(folder, 'another'), line(7));
    renameSync(join(folder, 'another'), join(folder, `analytics-api-${DAY}.1.log`));
    jest.advanceTimersByTime(1001);
    await append(files, line(20));
    expect(contents(`analytics-api-${DAY}.1.log`)).toBe(line(7) + line(20));
  });

  it('knows what others wrote to its file, and joins theirs', async () => {
    const [one, other] = [open(), open()];
    for (const files of [one, other]) await append(files, line(40));
    expect(contents(`analytics-api-${DAY}.1.log`)).toBe(line(40) + line(40));
    appendFileSync(join(folder, `analytics-api-${DAY}.1.log`), line(20));
    jest.advanceTimersByTime(1001);
    for (const files of [one, other]) await append(files, line(30));
    expect(names()).toEqual([`analytics-api-${DAY}.1.log`, `analytics-api-${DAY}.2.log`]);
    expect(contents(`analytics-api-${DAY}.2.log`)).toBe(line(30) + line(30));
  });

  it('lets only its owner write, and its group read', async () => {
    await append(open(), line(10));
    expect(statSync(join(folder, `analytics-api-${DAY}.1.log`)).mode & 0o777 & ~0o640).toBe(0);
  });

  it('says what the system says where there can be no folder', async () => {
    writeFileSync(join(folder, '..', '..', 'made'), 'a file');
    await expect(open().next(1)).rejects.toThrow(/ENOTDIR/);
  });
});
