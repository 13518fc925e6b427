/** How often something happened, by a word of a closed set. */
export class Counts<Word extends string = string> {
  private readonly byWord = new Map<Word, number>();

  count(word: Word): void {
    this.byWord.set(word, this.of(word) + 1);
  }

  of(word: Word): number {
    return this.byWord.get(word) ?? 0;
  }

  /** Those that happened. */
  [Symbol.iterator](): Iterator<[Word, number]> {
    return this.byWord.entries();
  }
}
