import { BAD_NAMES } from '../../test/e2e/bad-names';
import { fileName, modelName, versionNumber } from './model-name';

const GRAMMAR = '1 to 64 of a-z, 0-9, ".", "_", "-", first and last a letter or digit, no ".."';

describe(modelName, () => {
  it.each([
    'a',
    '0',
    '7',
    'iris',
    'a.b',
    'a-b',
    'a_b',
    'a--b',
    'a_-.b',
    '2026-q4',
    'v1.2.3',
    'con',
    'nul',
    'aux.h',
    'stats2',
    'my-stats',
    'constructor',
    'production',
    'a'.repeat(64),
  ])('accepts %j', (name) => {
    expect(modelName(name, 'model')).toBe(name);
  });

  it.each(BAD_NAMES.map((name) => [name.length > 70 ? `${name.slice(0, 5)}… (${name.length})` : name, name]))('refuses %j', (_, name) => {
    const details = { field: 'alias', expected: GRAMMAR, actual: JSON.stringify(name.slice(0, 80)) };
    expect(() => modelName(name, 'alias')).toThrow(expect.objectContaining({ code: 'INVALID_NAME', kind: 'malformed', details }));
  });

  it('has tried sixty bad names and more, each another', () => {
    expect(new Set(BAD_NAMES).size).toBeGreaterThanOrEqual(60);
  });

  it('refuses a name that is not there', () => {
    const details = { field: 'name', expected: GRAMMAR, actual: 'missing' };
    expect(() => modelName(undefined, 'name')).toThrow(expect.objectContaining({ code: 'INVALID_NAME', details }));
  });

  it('repeats at most 80 characters of what it refuses, and those escaped', () => {
    const hostile = `\u001B[31m\n${'x'.repeat(1_000_000)}`;
    const actual = String.raw`"\u001b[31m\n${'x'.repeat(74)}"`;
    expect(() => modelName(hostile, 'model')).toThrow(
      expect.objectContaining({ message: 'model is not a valid name', details: expect.objectContaining({ actual }) }),
    );
  });

  it('never takes one name for another: what it accepts, it gives back as it came', () => {
    const alphabet = ['a', 'B', '0', '.', '-', '_', '/', '\\', '%', ' ', '\0', 'é'];
    const words = alphabet.flatMap((a) => alphabet.flatMap((b) => alphabet.map((c) => a + b + c)));
    const accepted = words.filter((word) => {
      try {
        return modelName(word, 'model') === word;
      } catch {
        return false;
      }
    });
    // a or 0, then any of five, then a or 0
    expect(accepted).toHaveLength(2 * 5 * 2);
  });
});

describe(versionNumber, () => {
  it.each([
    ['1', 1],
    ['42', 42],
    ['999999999', 999_999_999],
  ])('reads %j', (text, version) => {
    expect(versionNumber(text, 'version')).toBe(version);
  });

  it.each([
    '',
    '0',
    '00',
    '01',
    '-1',
    '+1',
    '1.0',
    '1e3',
    '0x1',
    ' 1',
    '1 ',
    '1\n',
    'latest',
    'production',
    '../1',
    '1/2',
    '١',
    '１',
    '1000000000',
    '9'.repeat(300),
    'NaN',
    'Infinity',
    '1,2',
    '1%00',
    '__proto__',
  ])('refuses %j', (text) => {
    const details = { field: 'version', expected: 'a whole number from 1 on', actual: JSON.stringify(text.slice(0, 80)) };
    expect(() => versionNumber(text, 'version')).toThrow(expect.objectContaining({ code: 'INVALID_NAME', details }));
  });
});

describe(fileName, () => {
  it.each(['model.onnx', 'a', 'Model-2.ONNX', 'weights_1.bin', '0', `${'a'.repeat(123)}.onnx`])('accepts %j', (name) => {
    expect(fileName(name)).toBe(name);
  });

  it.each(
    [
      '',
      '.',
      '..',
      '../model.onnx',
      'a/b.onnx',
      '/etc/passwd',
      String.raw`a\b.onnx`,
      String.raw`C:\x`,
      'c:x',
      'a..b',
      '.hidden',
      '-rf',
      '_a',
      'model.onnx\0',
      'model\n.onnx',
      'model .onnx',
      ' model.onnx',
      'model.onnx ',
      'modèle.onnx',
      '%2e%2e%2fx',
      '~/x',
      'a'.repeat(129),
      'a:stream',
      'a;b',
      '\uFF0E\uFF0E\uFF0Fx',
      'a\u202Exnno.b',
    ].map((name) => [name]),
  )('refuses %j', (name) => {
    expect(() => fileName(name)).toThrow(
      expect.objectContaining({ code: 'INVALID_NAME', details: expect.objectContaining({ field: 'file' }) }),
    );
  });

  // Windows drops a dot at the end: two files of one artifact could become one
  it('refuses a dot at the end', () => {
    expect(() => fileName('model.onnx.')).toThrow(expect.objectContaining({ code: 'INVALID_NAME' }));
  });
});
