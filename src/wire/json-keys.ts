import { MalformedJson } from './wire.errors';

/** Up to so many keys each is compared with all before it; beyond that they are remembered as text. */
const PAIRWISE = 16;
const POISONED: ReadonlySet<string> = new Set(['__proto__', 'prototype']);
const POISON_LENGTH = 9;

/**
 * The keys of one object of a JSON text, where they stand between their quotes. Serves all objects of one level, one after another:
 * rows mostly have the keys of the row before them, and a key that stands where an equal one stood is a new one as that was.
 */
export class ObjectKeys {
  private count = 0;
  /** Start and end of each key, by turns; the object before this one had its own in `spansBefore`. */
  private spans: number[] = [];
  private countBefore = 0;
  private spansBefore: number[] = [];
  private alike = false;
  private escaped = false;
  private readonly seen = new Set<string>();

  constructor(
    private readonly bytes: Buffer,
    private readonly maxKeys: number,
  ) {}

  /** An object begins. */
  open(): void {
    this.count = 0;
    this.alike = this.countBefore > 0;
    this.escaped &&= this.alike;
    if (this.seen.size > 0) this.seen.clear();
  }

  /** The object ended. */
  close(): void {
    [this.spans, this.spansBefore] = [this.spansBefore, this.spans];
    this.countBefore = this.count;
  }

  /** @returns where the key that begins at `start` ends if it is the one that stood in its place in the object before, else −1 */
  endOfRepeated(start: number): number {
    if (!this.alike || this.count >= this.countBefore) return -1;
    const before = this.spansBefore[this.count * 2] as number;
    const end = start + (this.spansBefore[this.count * 2 + 1] as number) - before;
    return this.isSame(before, start, end) ? end : -1;
  }

  /** Takes a key of which `endOfRepeated` told the end. */
  repeat(start: number, end: number): void {
    this.spans[this.count * 2] = start;
    this.spans[this.count * 2 + 1] = end;
    this.count++;
  }

  /**
   * @param escaped whether there is a backslash in it
   * @throws MalformedJson for a key too many, one that is there already, and one that could change a prototype
   */
  add(start: number, end: number, escaped: boolean): void {
    if (this.count >= this.maxKeys) throw tooMany(this.maxKeys, start);
    this.alike = false;
    this.escaped ||= escaped;
    if (!escaped && end - start === POISON_LENGTH) refusePoisoned(this.bytes.toString('latin1', start, end), start);
    if (this.escaped || this.count >= PAIRWISE) this.remember(start, end);
    else this.compare(start, end);
    this.repeat(start, end);
  }

  private compare(start: number, end: number): void {
    for (let at = 0; at < this.count; at++) {
      if (this.isSame(this.spans[at * 2] as number, start, end)) throw duplicate(this.nameAt(start, end), start);
    }
  }

  private remember(start: number, end: number): void {
    if (this.seen.size === 0) {
      for (let at = 0; at < this.count; at++) this.seen.add(this.nameAt(this.spans[at * 2] as number, this.spans[at * 2 + 1] as number));
    }
    const name = this.nameAt(start, end);
    refusePoisoned(name.slice(1), start);
    if (this.seen.has(name)) throw duplicate(name, start);
    this.seen.add(name);
  }

  /** Whether the key that begins at `earlier` is written as the one from `start` to `end`, its closing quote with it. */
  private isSame(earlier: number, start: number, end: number): boolean {
    const { bytes } = this;
    const shift = start - earlier;
    for (let at = end; at >= start; at--) {
      if (bytes[at - shift] !== bytes[at]) return false;
    }
    return true;
  }

  /** The key behind its opening quote: the hash of a text that is a number could be foreseen. */
  private nameAt(start: number, end: number): string {
    const written = this.bytes.toString('utf8', start - 1, end);
    if (!written.includes('\\')) return written;
    try {
      return `"${JSON.parse(`${written}"`) as string}`;
    } catch {
      return written; // no JSON, as JSON.parse will say of the whole
    }
  }
}

function refusePoisoned(name: string, at: number): void {
  if (POISONED.has(name)) throw new MalformedJson(`the key "${name}" at byte ${at}`, { expected: `no key "${name}"` });
}

function duplicate(name: string, at: number): MalformedJson {
  const shown = JSON.stringify(name.slice(1)).slice(0, 40);
  return new MalformedJson(`the key ${shown} comes twice in one object, again at byte ${at}`, { expected: 'each key of an object once' });
}

function tooMany(maxKeys: number, at: number): MalformedJson {
  return new MalformedJson(`an object has more than ${maxKeys} keys, at byte ${at}`, { expected: `at most ${maxKeys} keys in an object` });
}
