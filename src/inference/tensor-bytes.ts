import { hash } from 'node:crypto';
import { DATATYPES, type Datatype, elementsOf, emptyData, type Tensor, type TensorData } from '../runtime/tensor';

const FIRST_BYTES = 4096;
/** Memory is kept for the next one up to this size. */
const KEPT_BYTES = 2 ** 20;
const NUMBER_BYTES = 8;
const CODES: Readonly<Record<string, number>> = Object.fromEntries(DATATYPES.map((datatype, code) => [datatype, code]));

/**
 * Writes tensors as bytes: name, datatype, shape and elements, each text and each block of numbers behind its length, so that different tensors
 * never give the same bytes. Or, where that is enough, large blocks by their SHA-256. It writes into one piece of memory again and again: start with `begin`, and be done with what it gives before the next.
 */
export class TensorWriter {
  private buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  private view = new DataView(this.buffer.buffer);
  private length = 0;

  /** @param digestFrom so many bytes of numbers, and more, are told by their digest: what is hashed in the end need not be copied first */
  constructor(private readonly digestFrom = Number.POSITIVE_INFINITY) {}

  /** Forgets what was written, whatever became of it. */
  begin(): this {
    this.length = 0;
    if (this.buffer.length > KEPT_BYTES) this.room(FIRST_BYTES);
    return this;
  }

  /** A view of what was written. */
  get written(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  tensor({ name, datatype, shape, data }: Tensor): void {
    this.text(name);
    this.number(CODES[datatype] as number);
    this.number(shape.length);
    for (const dimension of shape) this.number(dimension);
    if ('byteLength' in data) return this.block(data);
    this.number(data.length);
    for (const text of data) this.text(text);
  }

  number(value: number): void {
    this.grow(NUMBER_BYTES);
    this.view.setFloat64(this.length, value, true);
    this.length += NUMBER_BYTES;
  }

  text(text: string): void {
    this.grow(NUMBER_BYTES + 3 * text.length);
    const bytes = this.buffer.write(text, this.length + NUMBER_BYTES);
    this.number(bytes);
    this.length += bytes;
  }

  private block({ buffer, byteOffset, byteLength }: ArrayBufferView): void {
    this.number(byteLength); // it tells whether bytes follow or their digest
    const block = new Uint8Array(buffer, byteOffset, byteLength);
    const told = byteLength < this.digestFrom ? block : hash('sha256', block, 'buffer');
    this.grow(told.length);
    this.buffer.set(told, this.length);
    this.length += told.length;
  }

  private grow(bytes: number): void {
    if (this.length + bytes <= this.buffer.length) return;
    const before = this.buffer;
    this.room(Math.max(2 * before.length, this.length + bytes));
    before.copy(this.buffer, 0, 0, this.length);
  }

  private room(bytes: number): void {
    this.buffer = Buffer.allocUnsafeSlow(bytes);
    this.view = new DataView(this.buffer.buffer);
  }
}

/** Reads what a `TensorWriter` wrote, and believes nothing. What it gives owns its memory. @throws RangeError, TypeError where it is anything else */
export class TensorReader {
  private readonly view: DataView;
  private readonly utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  private at = 0;

  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  tensor(): Tensor {
    const name = this.text();
    const datatype = DATATYPES[this.count()];
    if (datatype === undefined) throw new RangeError('a datatype that does not exist');
    const shape = Array.from({ length: this.count(this.left / NUMBER_BYTES) }, () => this.count());
    return { name, datatype, shape, data: this.data(datatype, elementsOf(shape)) };
  }

  /** A whole number from 0 to `most`. */
  count(most = Number.MAX_SAFE_INTEGER): number {
    const value = this.view.getFloat64(this.at, true); // beyond the end: RangeError
    this.at += NUMBER_BYTES;
    if (!Number.isInteger(value) || value < 0 || value > most) throw new RangeError(`${value} is not from 0 to ${most}`);
    return value;
  }

  /** @throws RangeError where there is more */
  end(): void {
    if (this.left !== 0) throw new RangeError(`${this.left} bytes too many`);
  }

  private get left(): number {
    return this.bytes.length - this.at;
  }

  private text(): string {
    return this.utf8.decode(this.take(this.count()));
  }

  private data(datatype: Datatype, elements: number): TensorData {
    const size = this.count(this.left);
    // every element takes at least a byte: nothing is made that is larger than what came
    if (datatype === 'BYTES' ? size !== elements : !(elements <= size)) throw new RangeError(`${size} are not ${elements} elements`);
    if (datatype === 'BYTES') return Array.from({ length: size }, () => this.text());
    const data = emptyData(datatype, elements) as Float32Array;
    if (data.byteLength !== size) throw new RangeError(`${size} bytes are not ${elements} elements`);
    new Uint8Array(data.buffer).set(this.take(size));
    return data;
  }

  private take(bytes: number): Uint8Array {
    if (bytes > this.left) throw new RangeError(`${bytes} bytes of ${this.left}`);
    this.at += bytes;
    return this.bytes.subarray(this.at - bytes, this.at);
  }
}
