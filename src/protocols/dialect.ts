import type { Tensor } from '../runtime/tensor';

/** What a dialect made of a question, once it knew which version answers it. */
export interface Question {
  readonly inputs: readonly Tensor[];
  /** Names of the wanted outputs; absent: all of them. */
  readonly outputs?: readonly string[];
  /** How long its caller waits, milliseconds from the first byte on, where the dialect has a word for it. */
  readonly timeoutMs?: number;
}

/** An answer in a dialect's own form. */
export interface DialectAnswer {
  readonly body: string | Buffer;
  readonly contentType: string;
  /** How many numbers had to become null. */
  readonly nonFinite: number;
  readonly headers?: Readonly<Record<string, string>>;
}
