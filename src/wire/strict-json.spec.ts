import { parseJson, parseTensorJson } from './strict-json';

const { raw } = String;

/** The text in bytes that begin where a word of memory does, or one to three bytes after. */
function bytesOf(text: string, shift = 0): Buffer {
  return Buffer.concat([Buffer.alloc(8 + shift), Buffer.from(text)]).subarray(8 + shift);
}

function malformed(actual: unknown, expected: unknown = 'one JSON value in UTF-8'): Error {
  return expect.objectContaining({ code: 'MALFORMED_JSON', kind: 'malformed', details: { field: 'body', expected, actual } });
}

const nested = (depth: number, inner = ''): string => '['.repeat(depth) + inner + ']'.repeat(depth);
const members = (count: number): string => `{${Array.from({ length: count }, (_, at) => `"${at}":0`).join(',')}}`;

describe.each([
  ['parseJson', parseJson, 32, 1000],
  ['parseTensorJson', (body: Uint8Array) => parseTensorJson(body).value, 64, 16_384],
] as const)('%s', (_name, parse, maxDepth, maxKeys) => {
  const expectRefused = (text: string, actual: unknown, expected?: unknown): void => {
    for (const shift of [0, 1, 2, 3]) expect(() => parse(bytesOf(text, shift))).toThrow(malformed(actual, expected));
  };

  it.each([
    '0',
    '-0',
    '1e-400',
    '9007199254740991',
    ' [1, -2.5e+3, null, true, false] \r\n',
    '"naïve ☃ 🦆"',
    raw`"\ud83e\uDD86 \\ \" \/ \u00e9 \\ud800"`,
    raw`{"a": {"a": {"a": "a"}}, "b": [{"a": 1}, {"a": 2, "b": 3}, {"b": 2, "a": 3}], "": 0}`,
    raw`[{"\u0061": 1, "b": 2}, {"\u0061": 1, "b": 2}, {"a": 1, "\u0062": 2}]`,
    '{"constructor": {"toString": 1}, "proto": "__proto__", "__proto": ["prototype"], "aprototype": 1, "prototypf_": 2}',
    '{"a": "b", "b": "a", "c" : "a"}',
    raw`{"é": 1, "e\u0301": 2, "\\u0061": 3, "a": 4}`,
    '["[[[[", "{", "}}", "]", {"]": "["}]',
  ])('reads %s as JSON.parse does', (text) => {
    for (const shift of [0, 1, 2, 3]) expect(parse(bytesOf(text, shift))).toEqual(JSON.parse(text));
  });

  it('reads bytes that are no Buffer', () => {
    expect(parse(new TextEncoder().encode('xx[1,2]').subarray(2))).toEqual([1, 2]);
  });

  it.each([
    ['nothing', [], 'it is empty'],
    ['a byte order mark', [0xef, 0xbb, 0xbf, 0x7b, 0x7d], 'it begins with a byte order mark'],
    ['UTF-16 with a mark', [0xff, 0xfe, 0x37, 0x00], 'it is UTF-16 or UTF-32, not UTF-8'],
    ['UTF-16 with the other mark', [0xfe, 0xff, 0x00, 0x37], 'it is UTF-16 or UTF-32, not UTF-8'],
    ['UTF-16 without a mark', [0x5b, 0x00, 0x5d, 0x00], 'it is UTF-16 or UTF-32, not UTF-8'],
    ['UTF-32 without a mark', [0x00, 0x00, 0x00, 0x37], 'it is UTF-16 or UTF-32, not UTF-8'],
    ['what UTF-8 has not', [0x22, 0xff, 0x22], 'it is not UTF-8'],
    ['half a surrogate pair in three bytes', [0x22, 0xed, 0xa0, 0x80, 0x22], 'it is not UTF-8'],
    ['a key that is no UTF-8', [0x7b, 0x22, 0xc0, 0x80, 0x22, 0x3a, 0x31, 0x7d], 'it is not UTF-8'],
  ])('refuses %s', (_, bytes, actual) => {
    expect(() => parse(Uint8Array.from(bytes))).toThrow(malformed(actual));
  });

  it.each([
    ...['NaN', 'Infinity', '-Infinity', '01', '+1', '.5', '1.', '1e', '0x10', '1_000', 'undefined', 'tru', "'a'", '// no\n1', '1 2', ' '],
    ...['[1,]', '[,1]', '[1', '1]', ']', '[[1}]', '{"a":1,}', '{"a"}', '{a:1}', '{"a" "b":1}', '{"a":1]', '{', '}', '"', '"a', '"\\'],
    ...[raw`"\x41"`, raw`"\u00g0"`, raw`"\u12"`, raw`{"\u00g0":1}`, raw`{"\q":1}`, '"a\nb"', '"a\0b"', raw`"\ud8`, raw`"\udzzz"`],
  ])('refuses %j, which is no JSON', (text) => {
    expectRefused(text, expect.any(String), expect.any(String));
  });

  it('says what JSON.parse says of what is no JSON', () => {
    expectRefused('[1,]', expect.stringContaining('Unexpected token'));
    expectRefused(raw`{"aaaa\q": 1}`, expect.stringMatching(/escape.* position 7/i));
  });

  it(`reads ${maxDepth} arrays and objects in one another, and refuses one more before it reads on`, () => {
    const text = nested(maxDepth - 1, '{}');
    expect(parse(bytesOf(text))).toEqual(JSON.parse(text));
    const expected = `at most ${maxDepth} arrays and objects in one another`;
    expectRefused(nested(maxDepth, '{}'), `it is nested more than ${maxDepth} deep, at byte ${maxDepth}`, expected);
    expectRefused(nested(maxDepth + 1), expect.any(String), expected);
    expectRefused('{"a":'.repeat(maxDepth + 1), expect.any(String), expected);
    expect(parse(bytesOf(`[${'[[]],'.repeat(1000)}[]]`))).toHaveLength(1001);
  });

  it.each([
    ['a million arrays in one another', nested(1_000_000)],
    ['8 MiB of opening brackets', '['.repeat(2 ** 23)],
    ['half a million arrays and objects in one another', '[{"a":'.repeat(500_000)],
  ])('refuses %s within 50 ms', (_, text) => {
    const body = bytesOf(text);
    const startedAt = performance.now();
    expect(() => parse(body)).toThrow(malformed(expect.stringContaining('nested'), expect.any(String)));
    expect(performance.now() - startedAt).toBeLessThan(50);
  });

  it(`reads an object of ${maxKeys} keys, and refuses one more`, () => {
    expect(parse(bytesOf(members(maxKeys)))).toEqual(JSON.parse(members(maxKeys)));
    expect(parse(bytesOf(`[${members(maxKeys)},${members(maxKeys)}]`))).toHaveLength(2);
    expectRefused(
      members(maxKeys + 1),
      expect.stringMatching(new RegExp(`^an object has more than ${maxKeys} keys, at byte`)),
      `at most ${maxKeys} keys in an object`,
    );
  });

  it('refuses 131072 keys of equal hash within 100 ms', () => {
    const body = bytesOf(`{${Array.from({ length: 131_072 }, (_, at) => `"${at * 16_384}":0`).join(',')}}`);
    const startedAt = performance.now();
    expect(() => parse(body)).toThrow(malformed(expect.stringContaining('keys'), expect.any(String)));
    expect(performance.now() - startedAt).toBeLessThan(100);
  });

  it.each([
    ['{"a": 1, "a": 2}', 'a', 10],
    ['[0, {"b": {"a": 1}, "a": {"a": {}}, "b": 2}]', 'b', 37],
    [raw`{"\u0061": 1, "a": 2}`, 'a', 15],
    [raw`{"a": 1, "b": 2, "\u0061": 2}`, 'a', 18],
    [raw`{"\u0061": 1, "\u0061": 2}`, 'a', 15],
    [raw`{"A\/": 1, "\u0041/": 2}`, 'A/', 12],
    [raw`{"é": 1, "\u00e9": 2}`, 'é', 11],
    [raw`{"🦆": 1, "\ud83e\udd86": 2}`, '🦆', 13],
    ['{"": 1, "": 2}', '', 9],
    ['[{"a": 1, "b": 2}, {"a": 1, "b": 2, "a": 3}]', 'a', 37],
    ['[{"a": 1, "b": 2}, {"a": 1, "a": 3}]', 'a', 29],
    ['[{"a": "b", "b": 2}, {"a": "b", "b": 2, "b": 3}]', 'b', 41],
    [raw`[{"\u0061": 1, "b": 2}, {"\u0061": 1, "a": 3}]`, 'a', 39],
    ['{"a" : 1, "b": {"a": 1, "b": 1}, "a"\n: 2}', 'a', 34],
  ])('refuses %s, which has a key twice', (text, key, at) => {
    expectRefused(text, `the key ${JSON.stringify(key)} comes twice in one object, again at byte ${at}`, 'each key of an object once');
  });

  it.each([15, 16, 17, 18, 100, 500])('refuses a key that comes again as the last of %i', (count) => {
    for (const again of ['0', '7', String(count - 2)]) {
      const row = Array.from({ length: count - 1 }, (_, at) => `"${at}":0`).join(',');
      expectRefused(`{${row},"${again}":1}`, expect.stringContaining(`the key "${again}" comes twice`), expect.any(String));
      expectRefused(`[{${row}},{${row},"${again}":1}]`, expect.stringContaining(`the key "${again}" comes twice`), expect.any(String));
    }
  });

  it('repeats no long key', () => {
    const key = 'x'.repeat(10_000);
    expectRefused(`{"${key}":1,"${key}":2}`, expect.stringMatching(/^the key "x{39} comes twice/), expect.any(String));
  });

  it.each([
    ['{"__proto__": {"polluted": true}}', '__proto__'],
    ['{"constructor": {"prototype": {"polluted": true}}}', 'prototype'],
    ['[{"a": [{"b": 1, "prototype": 1}]}]', 'prototype'],
    [raw`{"a": 1, "\u005f_proto__": 1}`, '__proto__'],
    [raw`{"__proto\u005f\u005f": 1}`, '__proto__'],
    [raw`{"\u0070rototype": 1}`, 'prototype'],
    [`{${members(40).slice(1, -1)},"prototype":1}`, 'prototype'],
    ['[{"a": 1, "b": 2}, {"a": 1, "__proto__": 2}]', '__proto__'],
  ])('refuses %s, whose key could change a prototype', (text, key) => {
    expectRefused(text, expect.stringMatching(new RegExp(`^the key "${key}" at byte \\d+$`)), `no key "${key}"`);
  });

  it.each([
    [raw`"\ud800"`, 1],
    [raw`"\uDFFF"`, 1],
    [raw`"ab\ud800c"`, 3],
    [raw`"\ud800\ud800"`, 1],
    [raw`"\udc00\ud800"`, 1],
    [raw`"\ud83e\udd86\udd86"`, 13],
    [raw`"\ud83e \udd86"`, 1],
    [raw`"\ud83e\n"`, 1],
    [raw`"\\\ud83e"`, 3],
    [raw`["a", {"b\uDBFF": 1}]`, 9],
  ])('refuses %s, which has half a surrogate pair', (text, at) => {
    expectRefused(text, `half a surrogate pair at byte ${at}`, 'surrogates in pairs');
  });
});

describe(parseJson, () => {
  const parse = (text: string): unknown => parseJson(bytesOf(text));

  it('keeps the sign of zero', () => {
    expect(parse('[-0, -0.0, 0]')).toEqual([-0, -0, 0]);
  });

  it.each(['9007199254740992', '-9007199254740993', '123456789012345678901234567890', '9'.repeat(308)])(
    'refuses the whole number %s, which another reader would round otherwise',
    (number) => {
      const error = malformed(`the whole number ${number.slice(0, 40)}`, 'whole numbers beyond 2^53 as text');
      for (const text of [number, `{"a": ["99999999999999999999", 1e300, {"b": ${number}}]}`]) expect(() => parse(text)).toThrow(error);
    },
  );

  it.each(['1e999', '-1e999', '9'.repeat(310), '9'.repeat(100_000)])('refuses a number that no double holds', (number) => {
    const error = malformed('a number beyond all doubles', 'numbers that a double can hold');
    for (const text of [number, `{"a": [1, {"b": ${number}}]}`]) expect(() => parse(text)).toThrow(error);
  });

  it('takes large numbers with a point or an exponent, which say that they are no whole ones', () => {
    expect(parse('[1e300, -2.5e20, 12345678901234567890.0, "12345678901234567890"]')).toEqual([
      1e300,
      -2.5e20,
      12_345_678_901_234_567_000,
      '12345678901234567890',
    ]);
  });

  it('takes other rules', () => {
    expect(Object.keys(parseJson(bytesOf(members(1001)), { maxKeys: 1001 }) as object)).toHaveLength(1001);
    expect(() => parseJson(bytesOf('[[]]'), { maxDepth: 1 })).toThrow(malformed(expect.any(String), expect.any(String)));
  });
});

describe(parseTensorJson, () => {
  const parse = (text: string): { readonly value: unknown; exact(): unknown } => parseTensorJson(bytesOf(text));

  it('takes numbers as JSON.parse does', () => {
    expect(parse('[9007199254740993, 1e999, -1e999, -0]').value).toEqual([
      9_007_199_254_740_992,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      -0,
    ]);
  });

  it('tells whole numbers beyond 2^53 exactly where it is asked to', () => {
    const text = raw`{"a": [9007199254740993, -18446744073709551615,9007199254740991, 1, -0], "9007199254740993": {"b": 9007199254740992}}`;
    expect(parse(text).exact()).toEqual({
      a: [9_007_199_254_740_993n, -18_446_744_073_709_551_615n, 9_007_199_254_740_991, 1, -0],
      '9007199254740993': { b: 9_007_199_254_740_992n },
    });
    expect(parse('-9007199254740993').exact()).toBe(-9_007_199_254_740_993n);
  });

  it('leaves alone what is no whole number, or is one in a text', () => {
    const texts = raw`"9007199254740993", "\"9007199254740993", "\\", "\\\\\"9007199254740993\\", " 9007199254740993 "`;
    const numbers = '1e20, 9007199254740993.0, 9007199254740993e1, 1.9007199254740993, 0.99999999999999999999, 1e0000000000000000003';
    expect(parse(`[${texts}, ${numbers}, 1E+0000000000000000003, 10000000000000000e-14, 9007199254740993]`).exact()).toEqual([
      ...(JSON.parse(`[${texts}, ${numbers}, 1000, 100]`) as unknown[]),
      9_007_199_254_740_993n,
    ]);
  });

  it('gives the same value again where there is no such number', () => {
    const json = parse('{"instances": [[1, 2.5]]}');
    expect(json.exact()).toBe(json.value);
  });

  it('gives up whole numbers of more than 400 digits, and so spends no time on them', () => {
    const [long, longest] = ['9'.repeat(400), '9'.repeat(401)] as const;
    expect(parse(`[${long}, -${long}, ${longest}, -${longest}]`).exact()).toEqual([
      BigInt(long),
      -BigInt(long),
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
    ]);
    const json = parse(`[9007199254740993, ${'9'.repeat(8_000_000)}]`);
    const startedAt = performance.now();
    expect(json.exact()).toEqual([9_007_199_254_740_993n, Number.POSITIVE_INFINITY]);
    expect(performance.now() - startedAt).toBeLessThan(500);
  });
});
