import { ObjectKeys } from './json-keys';
import { MalformedJson } from './wire.errors';

/** What a JSON text may hold at most. */
export interface JsonRules {
  /** Arrays and objects in one another; a value outside of any has depth 0. */
  readonly maxDepth: number;
  /** Members of one object. */
  readonly maxKeys: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const BRACKET = 0x5b;
const BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;
/** What a brace has more than the bracket on the same side. */
const CURLED = 0x20;
const BLANK = 0x20;
const LETTER_U = 0x75;
const LETTER_D = 0x64;
const NO_WORDS = new Uint32Array(0);

/**
 * Reads over a JSON text, before anything that is built from it, for what JSON.parse lets pass or pays dearly for. A text that
 * passes may still be no JSON.
 * @throws MalformedJson for more depth or keys than the rules allow, a key that its object has already, "__proto__" and
 *   "prototype" as keys, and half a surrogate pair
 */
export function scanJson(bytes: Buffer, rules: JsonRules): void {
  new JsonScan(bytes, rules).run();
}

class JsonScan {
  /** The text four bytes at a time, from `lead` on: numbers are passed over quicker so than byte by byte. */
  private readonly words: Uint32Array;
  private readonly lead: number;
  private readonly keysByDepth: (ObjectKeys | undefined)[] = [];
  /** What is open, outermost first: the keys of an object; nothing, for an array. */
  private readonly open: (ObjectKeys | undefined)[] = [];
  private keys: ObjectKeys | undefined;
  private escaped = false;

  constructor(
    private readonly bytes: Buffer,
    private readonly rules: JsonRules,
  ) {
    this.lead = -bytes.byteOffset & 3;
    const count = (bytes.length - this.lead) >> 2;
    this.words = count > 0 ? new Uint32Array(bytes.buffer, bytes.byteOffset + this.lead, count) : NO_WORDS;
  }

  run(): void {
    const { length } = this.bytes;
    for (let at = this.nextMark(0); at < length; at = this.nextMark(at + 1)) {
      const mark = this.bytes[at];
      if (mark === QUOTE) at = this.text(at + 1);
      else if (mark === BRACKET || mark === BRACE) this.enter(mark === BRACE, at);
      else if (this.open.length > 0) this.leave();
      else break; // no JSON, as JSON.parse will say
    }
  }

  /** Where the next quote, bracket or brace is. */
  private nextMark(from: number): number {
    const { bytes, words, lead } = this;
    let at = from;
    for (; at < bytes.length; at++) {
      if (((at - lead) & 3) === 0) {
        let word = (at - lead) >> 2;
        while (word < words.length && isPlain(words[word] as number)) word++;
        at = lead + word * 4;
      }
      const byte = bytes[at] as number;
      if (byte === QUOTE || (byte | CURLED) === BRACE || (byte | CURLED) === CLOSING_BRACE) break;
    }
    return at;
  }

  private enter(isObject: boolean, at: number): void {
    const { maxDepth, maxKeys } = this.rules;
    const depth = this.open.length;
    if (depth >= maxDepth) throw tooDeep(maxDepth, at);
    this.keys = isObject ? (this.keysByDepth[depth] ??= new ObjectKeys(this.bytes, maxKeys)) : undefined;
    this.keys?.open();
    this.open.push(this.keys);
  }

  private leave(): void {
    this.open.pop()?.close();
    this.keys = this.open.at(-1);
  }

  /** @param start after the quote  @returns where the closing quote is */
  private text(start: number): number {
    const { keys } = this;
    const repeated = keys === undefined ? -1 : keys.endOfRepeated(start);
    if (keys !== undefined && repeated >= 0 && this.isBeforeColon(repeated + 1)) {
      keys.repeat(start, repeated);
      return repeated;
    }
    this.escaped = false;
    const end = this.closingQuote(start);
    if (keys !== undefined && this.isBeforeColon(end + 1)) keys.add(start, end, this.escaped);
    return end;
  }

  private closingQuote(start: number): number {
    const { bytes, words, lead } = this;
    for (let at = start; at < bytes.length; at++) {
      if (((at - lead) & 3) === 0) {
        let word = (at - lead) >> 2;
        while (word < words.length && isPlainText(words[word] as number)) word++;
        at = lead + word * 4;
      }
      if (bytes[at] === QUOTE) return at;
      if (bytes[at] === BACKSLASH) at = this.escape(at);
    }
    return bytes.length;
  }

  /** @param at of the backslash  @returns the last byte that belongs to it, of the digits after \u none */
  private escape(at: number): number {
    this.escaped = true;
    const half = this.surrogateAt(at);
    if (half === 'low' || (half === 'high' && this.surrogateAt(at + 6) !== 'low')) throw halfPair(at);
    return half === 'high' ? at + 7 : at + 1;
  }

  private surrogateAt(at: number): 'high' | 'low' | undefined {
    const { bytes } = this;
    const isOne = bytes[at] === BACKSLASH && bytes[at + 1] === LETTER_U && ((bytes[at + 2] as number) | 0x20) === LETTER_D;
    const digit = isOne ? Number.parseInt(String.fromCharCode(bytes[at + 3] as number), 16) : 0;
    if (!(digit >= 8)) return undefined; // nor where it is no digit
    return digit < 12 ? 'high' : 'low';
  }

  private isBeforeColon(from: number): boolean {
    let at = from;
    while ((this.bytes[at] as number) <= BLANK) at++;
    return this.bytes[at] === COLON;
  }
}

/** Whether none of four bytes is a quote, nor from 0x40 to 0x7f as brackets, braces and letters are. */
function isPlain(word: number): boolean {
  const quotes = word ^ 0x22222222;
  return ((word & 0x40404040) | ((quotes - 0x01010101) & ~quotes & 0x80808080)) === 0;
}

/** Whether none of four bytes is a quote or a backslash. */
function isPlainText(word: number): boolean {
  const quotes = word ^ 0x22222222;
  const backslashes = word ^ 0x5c5c5c5c;
  return (((quotes - 0x01010101) & ~quotes & 0x80808080) | ((backslashes - 0x01010101) & ~backslashes & 0x80808080)) === 0;
}

function tooDeep(maxDepth: number, at: number): MalformedJson {
  const expected = `at most ${maxDepth} arrays and objects in one another`;
  return new MalformedJson(`it is nested more than ${maxDepth} deep, at byte ${at}`, { expected });
}

function halfPair(at: number): MalformedJson {
  return new MalformedJson(`half a surrogate pair at byte ${at}`, { expected: 'surrogates in pairs' });
}
