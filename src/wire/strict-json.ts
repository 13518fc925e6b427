import { parseJson } from './read-json';

/** A prediction's JSON. */
export class TensorJson {
  constructor(readonly value: unknown) {}

  /** The same, where a whole number beyond 2^53 is a bigint. */
  exact(): unknown {
    return this.value;
  }
}

/** @throws MalformedJson */
export function parseTensorJson(body: Uint8Array): TensorJson {
  return new TensorJson(parseJson(body));
}
