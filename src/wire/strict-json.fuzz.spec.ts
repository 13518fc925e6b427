import { isDeepStrictEqual } from 'node:util';
import { parseJson, parseTensorJson } from './strict-json';

const ROUNDS = 12_000;

/** mulberry32: the same numbers in every run. @returns whole numbers from 0 up to `below` */
function dice(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

const roll = dice(20_261_122);
const pick = <T>(from: readonly T[]): T => from[roll(from.length)] as T;
const { raw } = String;

const NUMBERS = ['0', '-0', '1', '-12.5', '0.30000000000000004', '1e-7', '2E+10', '9007199254740993', '1e999', '12345678', '0.1234567'];
const PIECES = ['a', 'b', 'ab', 'é', '☃', '🦆', '[', '{', '}', ']', ',', ':', '0123456789', raw`\"`, raw`\\`, raw`\u0061`, raw`\u00e9`];
const HALVES = [raw`\ud83e`, raw`\udd86`, raw`\ud83e\udd86`, raw`\ud83e\udd86`];
const KEYS = ['a', 'b', 'c', 'ab', '', 'é', raw`\u0061`, raw`\u0062`, raw`\u00e9`, raw`\\`, raw`a\"`, 'constructor'];
const POISON = ['__proto__', 'prototype', raw`\u005f_proto__`, raw`prot\u006ftype`];
const blank = (): string => pick(['', '', '', ' ', '\n', ' \t']);

function text(): string {
  const pieces = Array.from({ length: roll(5) }, () => pick(roll(20) === 0 ? HALVES : PIECES));
  return `"${pieces.join('')}"`;
}

function key(): string {
  if (roll(60) === 0) return pick(POISON);
  return roll(3) === 0 ? `${pick(KEYS)}${roll(30)}` : pick(KEYS);
}

function value(depth: number): string {
  const kind = depth > 5 ? roll(3) : roll(8);
  if (kind === 0) return pick(['true', 'false', 'null']);
  if (kind === 1) return text();
  if (kind === 2) return pick(NUMBERS);
  if (kind === 3) return '['.repeat(roll(70)) + pick(NUMBERS) + ']'.repeat(roll(70));
  const length = roll(20) === 0 ? roll(25) : roll(5);
  if (kind < 6) return `[${Array.from({ length }, () => blank() + value(depth + 1) + blank()).join(',')}]`;
  return `{${Array.from({ length }, () => `${blank()}"${key()}"${blank()}:${value(depth + 1)}`).join(',')}}`;
}

/** A text with some bytes lost, changed, or said twice. */
function damaged(bytes: Buffer): Buffer {
  const at = roll(bytes.length);
  const kind = roll(4);
  if (kind === 0) return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]);
  if (kind === 1) return Buffer.concat([bytes.subarray(0, at), bytes.subarray(roll(bytes.length))]);
  const put = kind === 2 ? Buffer.from(pick(['"', '{', '}', '[', ']', ',', ':', '\\', '1', 'e', '.', '\ud83e'])) : Buffer.of(roll(256));
  return Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + 1)]);
}

interface Limits {
  readonly maxDepth: number;
  readonly maxKeys: number;
}

/** Slow and by another way: character by character over a text that JSON.parse takes. */
function holdsToTheRules(json: string, { maxDepth, maxKeys }: Limits): boolean {
  const open: (Set<string> | undefined)[] = [];
  for (let at = 0; at < json.length; at++) {
    const char = json[at] as string;
    if ('[{'.includes(char)) open.push(char === '{' ? new Set() : undefined);
    if (']}'.includes(char)) open.pop();
    if (open.length > maxDepth) return false;
    if (char !== '"') continue;
    const start = at;
    for (at++; json[at] !== '"'; at++) if (json[at] === '\\') at++;
    const said = JSON.parse(json.slice(start, at + 1)) as string;
    if (!said.isWellFormed()) return false;
    if (json.slice(at + 1).trimStart()[0] !== ':') continue;
    const keys = open.at(-1) as Set<string>;
    if (keys.has(said) || said === '__proto__' || said === 'prototype') return false;
    if (keys.add(said).size > maxKeys) return false;
  }
  return true;
}

/** @returns the value, or nothing where it is refused */
function reference(bytes: Buffer, limits: Limits): { readonly value: unknown } | undefined {
  try {
    const json = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    const parsed: unknown = JSON.parse(json);
    return holdsToTheRules(json, limits) ? { value: parsed } : undefined;
  } catch {
    return undefined;
  }
}

function attempt(parse: () => unknown): { readonly value: unknown } | undefined {
  try {
    return { value: parse() };
  } catch (error) {
    if ((error as { code?: string }).code === 'MALFORMED_JSON') return undefined;
    throw error;
  }
}

/** Each text as it comes, or damaged, and where a word of memory begins or a little after. */
function texts(): readonly Buffer[] {
  return Array.from({ length: ROUNDS }, () => {
    const whole = Buffer.from(value(0));
    const bytes = roll(2) === 0 ? whole : damaged(whole);
    return Buffer.concat([Buffer.alloc(8 + roll(4)), bytes]).subarray(-bytes.length || 8);
  }).filter(({ length }) => length < 20_000);
}

const LOSSY = /[0-9]{16}|[eE]\+?[0-9]{3}/;

/** As V8 tells it: slowly, by the text of every value. */
function exactReference(json: string): unknown {
  const reviver = (_: string, number: unknown, { source = '' }: { readonly source?: string }): unknown =>
    typeof number === 'number' && /^-?\d{1,400}$/.test(source) && !Number.isSafeInteger(number) ? BigInt(source) : number;
  return JSON.parse(json, reviver as (key: string, number: unknown) => unknown);
}

describe('any text', () => {
  const all = texts();

  it('is taken as a prediction exactly where JSON.parse and the rules take it, and says the same', () => {
    const limits = { maxDepth: 64, maxKeys: 16_384 };
    const different = all.filter(
      (bytes) =>
        !isDeepStrictEqual(
          attempt(() => parseTensorJson(bytes).value),
          reference(bytes, limits),
        ),
    );
    expect(different.map(String)).toEqual([]);
    expect(all.filter((bytes) => reference(bytes, limits) !== undefined).length).toBeGreaterThan(ROUNDS / 5);
  });

  it('is taken as another request exactly where JSON.parse and narrower rules take it, and says the same', () => {
    const limits = { maxDepth: 5, maxKeys: 3 };
    const exact = all.filter((bytes) => !LOSSY.test(bytes.toString()));
    const different = exact.filter(
      (bytes) =>
        !isDeepStrictEqual(
          attempt(() => parseJson(bytes, limits)),
          reference(bytes, limits),
        ),
    );
    expect(different.map(String)).toEqual([]);
  });

  it('tells its whole numbers exactly where it is taken', () => {
    const taken = all.filter((bytes) => attempt(() => parseTensorJson(bytes)) !== undefined);
    const different = taken.filter((bytes) => !isDeepStrictEqual(parseTensorJson(bytes).exact(), exactReference(bytes.toString())));
    expect(different.map(String)).toEqual([]);
  });
});
