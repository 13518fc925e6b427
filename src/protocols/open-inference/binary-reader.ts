import { JSON_LENGTH_HEADER } from './body-parts';
import { BinaryMalformed } from './open-inference.errors';

/** Takes the bytes of one tensor after another from behind a body's JSON. */
export class BinaryReader {
  private at = 0;

  /** @param bytes undefined: the body is all JSON  @param model its name, for errors */
  constructor(
    private readonly bytes: Buffer | undefined,
    private readonly model: string,
  ) {}

  /** A view on the next bytes. @throws BinaryMalformed where there are too few */
  take(size: number, input: string): Buffer {
    if (size === 0) return Buffer.alloc(0);
    const { bytes, at, model } = this;
    if (bytes === undefined) throw headerMissing(input, size);
    const rest = bytes.length - at;
    if (size > rest) {
      const message = `Unexpected size for the input "${input}" of the model "${model}", expecting ${size - rest} additional bytes`;
      throw new BinaryMalformed(message, { field: input, expected: `${size} bytes`, actual: `${rest} bytes` });
    }
    this.at += size;
    return bytes.subarray(at, at + size);
  }

  /** @throws BinaryMalformed where bytes are left that no tensor took */
  end(): void {
    const rest = (this.bytes?.length ?? 0) - this.at;
    if (rest === 0) return;
    throw new BinaryMalformed(`Unexpected additional input data for the model "${this.model}"`, {
      field: 'body',
      expected: `${this.at} bytes after the JSON`,
      actual: `${this.at + rest} bytes`,
    });
  }
}

function headerMissing(input: string, size: number): BinaryMalformed {
  return new BinaryMalformed(`The input "${input}" says binary_data_size, but ${JSON_LENGTH_HEADER} is missing: the whole body is JSON`, {
    field: JSON_LENGTH_HEADER,
    expected: `the length of the JSON, and ${size} bytes behind it`,
    actual: 'missing',
  });
}
