import { Duplex } from 'node:stream';
import { serialize } from 'node:v8';
import { HostChannel } from './host-channel';

/** What is written to it can be read from it in pieces of any size. */
class Wire extends Duplex {
  readonly written: Buffer[] = [];

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written.push(chunk);
    done();
  }
}

describe(HostChannel.name, () => {
  let wire: Wire;
  let received: unknown[];
  let garbage: string[];
  let channel: HostChannel;
  beforeEach(() => {
    [wire, received, garbage] = [new Wire(), [], []];
    channel = new HostChannel(wire, (message) => received.push(message), (what) => garbage.push(what)); // prettier-ignore
  });
  const arrive = async (...chunks: readonly Uint8Array[]): Promise<void> => {
    for (const chunk of chunks) wire.push(chunk);
    await new Promise(setImmediate);
  };
  const framed = (message: unknown): Buffer => {
    channel.send(message);
    return Buffer.concat(wire.written.splice(0));
  };

  const MESSAGES = [
    { id: 1, data: Float32Array.of(1.5, Number.NaN), text: 'ä\0😀' },
    { id: 2, data: BigInt64Array.of(-(2n ** 63n)), bits: Uint16Array.of(1, 2, 3) },
    { id: 3, empty: new Uint8Array(0), none: null },
  ];

  it.each([1, 3, 7, 8, 9, 64, 1_000_000])('carries messages whole, in order, in pieces of %d bytes', async (size) => {
    const bytes = Buffer.concat(MESSAGES.map(framed));
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => bytes.subarray(at * size, (at + 1) * size));
    await arrive(...pieces);
    expect(received).toEqual(MESSAGES);
    expect(garbage).toEqual([]);
  });

  it.each([
    ['what a library printed', () => Buffer.from('[W:onnxruntime:] a warning that went astray\n')],
    ['a length beyond all measure', () => Buffer.concat([framed({}).subarray(0, 4), Buffer.alloc(4, 0xff)])],
    ['a message that V8 cannot read', () => Buffer.concat([framed({}).subarray(0, 4), Buffer.of(4, 0, 0, 0), Buffer.alloc(4, 0x7a)])],
  ])('takes %s for garbage, once, and believes nothing after it', async (_what, bytes) => {
    await arrive(bytes(), framed(MESSAGES[0]), bytes());
    expect(received).toEqual([]);
    expect(garbage).toHaveLength(1);
  });

  it('believes what came before the garbage', async () => {
    await arrive(framed(MESSAGES[2]), Buffer.from('garbage!'));
    expect(received).toEqual([MESSAGES[2]]);
    expect(garbage).toHaveLength(1);
  });

  it('takes it for garbage where nobody can do anything with a message', async () => {
    const other = new HostChannel(
      wire,
      () => {
        throw new Error('nobody asked');
      },
      (what) => garbage.push(what),
    );
    other.send(serialize(1));
    await arrive(Buffer.concat(wire.written));
    expect(garbage).toEqual(['nobody asked']);
  });
});
