import { parseTensorJson } from '../wire/strict-json';
import { type Datatype, DATATYPES } from './tensor';
import { elementSink } from './elements';

const WHERE = 'instances[2].age';

/** What one JSON value becomes in a tensor. @param text JSON, as it comes in a request */
function taken(datatype: Datatype, text: string): unknown {
  const sink = elementSink(datatype, 1);
  sink.set(0, JSON.parse(text), () => WHERE);
  return sink.data[0];
}

/** The same, where whole numbers beyond 2^53 are told exactly. */
function exactly(datatype: Datatype, text: string): unknown {
  const sink = elementSink(datatype, 1);
  sink.set(0, parseTensorJson(Buffer.from(text)).exact(), () => WHERE);
  return sink.data[0];
}

function refusal(code: string, expected: string, actual: string): Error {
  return expect.objectContaining({ code, details: { field: WHERE, expected, actual } });
}

const WHOLE = {
  UINT8: ['0', '255'],
  UINT16: ['0', '65535'],
  UINT32: ['0', '4294967295'],
  INT8: ['-128', '127'],
  INT16: ['-32768', '32767'],
  INT32: ['-2147483648', '2147483647'],
} as const;
const RANGES = Object.entries(WHOLE).map(([datatype, [least, most]]) => ({ datatype: datatype as Datatype, least, most }));

describe(elementSink, () => {
  it.each(DATATYPES.map((datatype) => ({ datatype })))('has room for as many elements of $datatype as asked for', ({ datatype }) => {
    expect(elementSink(datatype, 3).data).toHaveLength(3);
    expect(elementSink(datatype, 0).data).toHaveLength(0);
  });

  it('puts each element where it belongs, in whatever order they come', () => {
    const sink = elementSink('INT32', 3);
    for (const at of [2, 0, 1]) sink.set(at, at * 10, () => WHERE);
    expect([...sink.data]).toEqual([0, 10, 20]);
  });

  it('asks where an element came from only when it refuses it', () => {
    const where = jest.fn(() => WHERE);
    const sink = elementSink('FP32', 1);
    sink.set(0, 1, where);
    expect(where).not.toHaveBeenCalled();
    expect(() => sink.set(0, 'one', where)).toThrow(WHERE);
  });

  describe('of floating-point numbers', () => {
    it.each([
      ['FP16', '0.5', 0x3800],
      ['FP16', '0.1', 0x2e66],
      ['FP16', '65504', 0x7bff],
      ['FP64', '1.1', 1.1],
      ['FP64', '1e308', 1e308],
      ['FP64', '5e-324', 5e-324],
      ['FP64', '9007199254740993', 9_007_199_254_740_992],
      ['FP32', '1.5', 1.5],
      ['FP32', '1.1', Math.fround(1.1)],
      ['FP32', '3.4028234663852886e38', 3.402_823_466_385_288_6e38],
      ['FP32', '-3.4028234663852886e38', -3.402_823_466_385_288_6e38],
      ['FP32', '1e-50', 0],
      ['FP32', '16777217', 16_777_216],
    ] as const)('%s takes %s', (datatype, text, value) => expect(taken(datatype, text)).toBe(value));

    it.each(['FP32', 'FP64'] as const)('%s keeps the sign of zero', (datatype) => {
      expect(taken(datatype, '-0')).toBe(-0);
      expect(taken(datatype, '-0.0')).toBe(-0);
      expect(taken(datatype, '0')).toBe(0);
    });

    it.each([
      ['FP32', '1e999', 'Infinity'],
      ['FP32', '-1e999', '-Infinity'],
      ['FP32', '1e39', '1e+39'],
      ['FP32', '-1e39', '-1e+39'],
      ['FP32', '3.4028235677973366e38', '3.4028235677973366e+38'],
      ['FP64', '1e999', 'Infinity'],
      ['FP64', '-1e999', '-Infinity'],
    ] as const)('%s refuses %s, which it would turn into infinity', (datatype, text, actual) => {
      expect(() => taken(datatype, text)).toThrow(refusal('NUMBER_NOT_REPRESENTABLE', `a number that ${datatype} can hold`, actual));
    });

    it.each(['FP32', 'FP64'] as const)('%s refuses what is no number', (datatype) => {
      for (const [text, actual] of [
        ['"1"', '"1"'],
        ['true', 'true'],
        ['null', 'null'],
        ['[1, 2]', 'an array of 2'],
        ['{"a": 1}', 'an object'],
      ] as const) {
        expect(() => taken(datatype, text)).toThrow(refusal('INVALID_VALUE', 'a number', actual));
      }
    });
  });

  describe('of whole numbers up to 32 bits', () => {
    it.each(RANGES)('$datatype takes $least to $most', ({ datatype, least, most }) => {
      expect(taken(datatype, least)).toBe(Number(least));
      expect(taken(datatype, most)).toBe(Number(most));
      expect(taken(datatype, '7.0')).toBe(7);
      expect(taken(datatype, '1e1')).toBe(10);
    });

    it.each(RANGES)('$datatype refuses what lies beyond, and what is no whole number', ({ datatype, least, most }) => {
      const expected = `a whole number from ${least} to ${most}`;
      for (const text of [`${Number(least) - 1}`, `${Number(most) + 1}`, '0.5', '9007199254740993', '"1"', 'false', 'null', '[1]', '{}']) {
        expect(() => taken(datatype, text)).toThrow(
          expect.objectContaining({ code: 'INVALID_VALUE', details: expect.objectContaining({ field: WHERE, expected }) }),
        );
      }
    });

    it.each(RANGES)('$datatype calls infinity a number that cannot be told', ({ datatype }) => {
      expect(() => taken(datatype, '1e999')).toThrow(refusal('NUMBER_NOT_REPRESENTABLE', `a number that ${datatype} can hold`, 'Infinity'));
      expect(() => taken(datatype, '-1e999')).toThrow(
        refusal('NUMBER_NOT_REPRESENTABLE', `a number that ${datatype} can hold`, '-Infinity'),
      );
    });
  });

  describe('of whole numbers of 64 bits', () => {
    it.each([
      ['INT64', '0', 0n],
      ['INT64', '-7', -7n],
      ['INT64', '9007199254740991', 9_007_199_254_740_991n],
      ['INT64', '-9007199254740991', -9_007_199_254_740_991n],
      ['INT64', '"9007199254740993"', 9_007_199_254_740_993n],
      ['INT64', '"9223372036854775807"', 2n ** 63n - 1n],
      ['INT64', '"-9223372036854775808"', -(2n ** 63n)],
      ['INT64', '"-0"', 0n],
      ['UINT64', '"18446744073709551615"', 2n ** 64n - 1n],
      ['UINT64', '0', 0n],
      ['UINT64', '"0"', 0n],
    ] as const)('%s takes %s exactly', (datatype, text, value) => expect(taken(datatype, text)).toBe(value));

    it.each([
      ['INT64', '9007199254740993', '9007199254740992'],
      ['INT64', '-9007199254740993', '-9007199254740992'],
      ['INT64', '9007199254740992', '9007199254740992'],
      ['INT64', '1e300', '1e+300'],
      ['INT64', '1e999', 'Infinity'],
      ['INT64', '-1e999', '-Infinity'],
      ['UINT64', '18446744073709551615', '18446744073709552000'],
      ['UINT64', '1e999', 'Infinity'],
    ] as const)('%s refuses %s, which JSON had changed already, and asks for text', (datatype, text, actual) => {
      const expected = 'whole numbers beyond 2^53 as text ("9007199254740993")';
      expect(() => taken(datatype, text)).toThrow(refusal('NUMBER_NOT_REPRESENTABLE', expected, actual));
    });

    it.each([
      ['INT64', '"9223372036854775808"'],
      ['INT64', '"-9223372036854775809"'],
      ['UINT64', '"18446744073709551616"'],
      ['UINT64', '"-1"'],
    ] as const)('%s refuses %s, which has no room', (datatype, text) => {
      expect(() => taken(datatype, text)).toThrow(refusal('INVALID_VALUE', `a whole number that ${datatype} can hold`, text));
    });

    it('refuses a negative number where there are none', () => {
      expect(() => taken('UINT64', '-1')).toThrow(refusal('INVALID_VALUE', 'a whole number that UINT64 can hold', '-1'));
    });

    it.each(['0.5', '"0.5"', '"1e3"', '"+1"', '" 1"', '"1 "', '""', '"-"', '"0x10"', '"1_000"', '"१"', 'true', 'null', '[]', '{}'])(
      'refuses %s, which is no whole number',
      (text) => {
        for (const datatype of ['INT64', 'UINT64'] as const) {
          expect(() => taken(datatype, text)).toThrow(
            expect.objectContaining({
              code: 'INVALID_VALUE',
              details: expect.objectContaining({ field: WHERE, expected: 'a whole number' }),
            }),
          );
        }
      },
    );

    it('refuses a text that is too long for any number of 64 bits, and does not repeat all of it', () => {
      const error = expect.objectContaining({ code: 'INVALID_VALUE', details: expect.objectContaining({ actual: `"${'9'.repeat(79)}` }) });
      expect(() => taken('INT64', `"${'9'.repeat(100_000)}"`)).toThrow(error);
    });
  });

  describe('of whole numbers beyond 2^53 that were told exactly', () => {
    it.each([
      ['INT64', '9007199254740993', 9_007_199_254_740_993n],
      ['INT64', '9223372036854775807', 2n ** 63n - 1n],
      ['INT64', '-9223372036854775808', -(2n ** 63n)],
      ['UINT64', '18446744073709551615', 2n ** 64n - 1n],
      ['FP32', '9007199254740993', 9_007_199_254_740_992],
      ['FP64', '9007199254740993', 9_007_199_254_740_992],
      ['FP64', `1${'0'.repeat(300)}`, 1e300],
    ] as const)('%s takes %s', (datatype, text, value) => expect(exactly(datatype, text)).toBe(value));

    it.each([
      ['INT64', '9223372036854775808'],
      ['INT64', '-9223372036854775809'],
      ['UINT64', '18446744073709551616'],
      ['UINT64', '-9007199254740993'],
      ['FP16', '9007199254740993'],
      ['FP32', `1${'0'.repeat(39)}`],
      ['FP64', `1${'0'.repeat(399)}`],
      ...RANGES.flatMap(({ datatype }) => [[datatype, '9007199254740993'] as const, [datatype, '-9007199254740993'] as const]),
    ] as const)('%s has no room for %s', (datatype, text) => {
      expect(() => exactly(datatype, text)).toThrow(
        refusal('NUMBER_NOT_REPRESENTABLE', `a number that ${datatype} can hold`, text.slice(0, 80)),
      );
    });

    it('are taken by no other datatype', () => {
      expect(() => exactly('BOOL', '9007199254740993')).toThrow(refusal('INVALID_VALUE', 'true or false', '9007199254740993'));
      expect(() => exactly('BYTES', '9007199254740993')).toThrow(expect.objectContaining({ code: 'INVALID_VALUE' }));
    });

    it('may be small', () => {
      const sink = elementSink('INT8', 1);
      sink.set(0, -128n, () => WHERE);
      expect(sink.data[0]).toBe(-128);
    });
  });

  describe('of truth values', () => {
    it('takes true as 1 and false as 0', () => {
      expect(taken('BOOL', 'true')).toBe(1);
      expect(taken('BOOL', 'false')).toBe(0);
    });

    it.each([
      ['1', '1'],
      ['0', '0'],
      ['"true"', '"true"'],
      ['null', 'null'],
      ['[true]', 'an array of 1'],
    ])('refuses %s', (text, actual) => {
      expect(() => taken('BOOL', text)).toThrow(refusal('INVALID_VALUE', 'true or false', actual));
    });
  });

  describe('of texts', () => {
    it.each(['""', '"plain"', '"naïve ☃ 🦆"', String.raw`"\uD83E\uDD86"`, String.raw`"line\nline"`])('takes %s', (text) => {
      expect(taken('BYTES', text)).toBe(JSON.parse(text));
    });

    it('takes a text of any length as it is', () => {
      const long = 'ä'.repeat(1_000_000);
      expect(taken('BYTES', JSON.stringify(long))).toBe(long);
    });

    it.each([
      [String.raw`"\uD83E"`, String.raw`"\ud83e"`],
      [String.raw`"\uDD86\uD83E"`, String.raw`"\udd86\ud83e"`],
      ['7', '7'],
      ['true', 'true'],
      ['null', 'null'],
      ['["a"]', 'an array of 1'],
    ])('refuses %s, which would not arrive as it was sent', (text, actual) => {
      expect(() => taken('BYTES', text)).toThrow(refusal('INVALID_VALUE', 'a text without lone surrogates', actual));
    });

    it.each([String.raw`"a\u0000b"`, String.raw`"\u0000"`])('refuses %s, which the engine would end at its NUL', (text) => {
      expect(() => taken('BYTES', text)).toThrow(
        expect.objectContaining({ code: 'TEXT_NOT_REPRESENTABLE', details: { field: WHERE, expected: 'a text without NUL' } }),
      );
    });
  });

  it('says "missing" of a value that is not there', () => {
    expect(() => elementSink('FP32', 1).set(0, undefined, () => WHERE)).toThrow(refusal('INVALID_VALUE', 'a number', 'missing'));
  });
});
