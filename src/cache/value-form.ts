/** What the cache must know of the values that it keeps. */
export abstract class ValueForm<V> {
  /** How much of the memory a value takes, about. */
  abstract bytesOf(value: V): number;

  /** A value as bytes, for Redis. */
  abstract encode(value: V): Uint8Array;

  /**
   * The value again.
   * @param bytes only lent: what is kept of them is copied
   * @throws where they are no such value; that is a miss
   */
  abstract decode(bytes: Uint8Array): V;
}
