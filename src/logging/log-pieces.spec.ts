import { LogPieces } from './log-pieces';

describe(LogPieces, () => {
  let written: string[];
  let pieces: LogPieces;
  beforeEach(() => {
    jest.useFakeTimers();
    written = [];
    pieces = new LogPieces({ write: (text: string) => void written.push(text) });
  });
  afterEach(() => jest.useRealTimers());

  it('keeps lines for 50 ms at most, and writes them in their order', () => {
    pieces.write('one\n');
    jest.advanceTimersByTime(30);
    pieces.write('two\n');
    expect(written).toEqual([]);
    jest.advanceTimersByTime(20);
    expect(written).toEqual(['one\ntwo\n']);
    pieces.write('three\n');
    jest.advanceTimersByTime(50);
    expect(written).toEqual(['one\ntwo\n', 'three\n']);
  });

  it('writes what has become large at once', () => {
    const line = `${'x'.repeat(999)}\n`;
    for (let at = 0; at < 66; at++) pieces.write(line);
    expect(written).toEqual([line.repeat(66)]);
    jest.advanceTimersByTime(100);
    expect(written).toHaveLength(1);
  });

  it('writes what there is when it is asked to, and nothing where there is nothing', () => {
    pieces.flush();
    pieces.write('last\n');
    pieces.flush();
    pieces.flush();
    jest.advanceTimersByTime(100);
    expect(written).toEqual(['last\n']);
  });
});
