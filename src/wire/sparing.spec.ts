import { sparing } from './sparing';

async function* chunks(count: number, bytes: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < count; at++) yield new Uint8Array(bytes).fill(at);
}

describe(sparing, () => {
  it('passes every chunk on as it came', async () => {
    const seen: number[] = [];
    for await (const chunk of sparing(chunks(40, 2 ** 20))) seen.push(chunk[0] as number);
    expect(seen).toEqual(Array.from({ length: 40 }, (_, at) => at));
  });

  it('passes the failure of its source on', async () => {
    const failing = async function* (): AsyncIterable<Uint8Array> {
      yield new Uint8Array(1);
      throw new Error('the caller went away');
    };
    const read = async (): Promise<void> => {
      for await (const chunk of sparing(failing())) void chunk;
    };
    await expect(read()).rejects.toThrow('the caller went away');
  });
});
