/**
 * Whole numbers of 16 to 400 digits, and what looks like one in a text. `BigInt` takes longer than linear time; and what is longer is
 * no number of any tensor.
 */
const LONG_WHOLE = /(?<![0-9.eE+-])-?[0-9]{16,400}(?![0-9.eE])/g;
/** Half a surrogate pair: no text of a JSON that scanJson let pass begins so. */
const MARK = '\ud800';

/**
 * The whole numbers beyond 2^53, of at most 400 digits, that a JSON text tells without point and exponent, in order.
 * @param text JSON that JSON.parse takes
 * @returns where each begins, and its digits with their sign
 */
export function* inexactWholes(text: string): Generator<readonly [at: number, whole: string]> {
  const texts = new Texts(text);
  for (const { 0: whole, index } of text.matchAll(LONG_WHOLE)) {
    if (!texts.hold(index) && !Number.isSafeInteger(Number(whole))) yield [index, whole];
  }
}

/**
 * As JSON.parse, but whole numbers beyond 2^53, of at most 400 digits, are bigints. (A reviver would be told their digits too; with
 * one among millions of other numbers it takes twenty times as long.)
 * @param text JSON that scanJson and JSON.parse take
 */
export function parseExactly(text: string): unknown {
  let marked = '';
  let from = 0;
  for (const [at, whole] of inexactWholes(text)) {
    marked += `${text.slice(from, at)}"${MARK}${whole}"`;
    from = at + whole.length;
  }
  return unmarked(JSON.parse(marked + text.slice(from)));
}

/** Where the texts in a JSON text are, asked from its beginning to its end. */
class Texts {
  private opening = -1;
  private closing = -1;

  constructor(private readonly json: string) {}

  hold(index: number): boolean {
    while (this.closing < index) this.next();
    return this.opening < index;
  }

  private next(): void {
    const opening = this.json.indexOf('"', this.closing + 1);
    this.opening = opening < 0 ? Number.POSITIVE_INFINITY : opening;
    this.closing = opening < 0 ? Number.POSITIVE_INFINITY : this.closingAfter(opening);
  }

  private closingAfter(opening: number): number {
    let at = this.json.indexOf('"', opening + 1);
    while (this.isEscaped(at)) at = this.json.indexOf('"', at + 1);
    return at;
  }

  private isEscaped(at: number): boolean {
    let backslashes = 0;
    while (this.json[at - 1 - backslashes] === '\\') backslashes++;
    return backslashes % 2 === 1;
  }
}

/** Puts bigints in the place of what is marked. */
function unmarked(value: unknown): unknown {
  if (typeof value === 'string') return value.startsWith(MARK) ? BigInt(value.slice(MARK.length)) : value;
  if (typeof value !== 'object' || value === null) return value;
  const members = value as Record<string, unknown>;
  if (Array.isArray(value)) for (let at = 0; at < value.length; at++) value[at] = unmarked(value[at]);
  else for (const key of Object.keys(members)) members[key] = unmarked(members[key]);
  return value;
}
