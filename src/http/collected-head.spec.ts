import { createServer, request as ask, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { collectingHeads, type CollectsHead } from './collected-head';

type Answer = ServerResponse & CollectsHead;

/** What a caller gets of an answer that `work` has made: the fields of its head in their order, but those that Node adds. */
async function told(collects: boolean, work: (answer: Answer) => void): Promise<{ status: number; fields: readonly string[] }> {
  const server = createServer({ ServerResponse: collectingHeads(ServerResponse) }, (_request, response) => {
    if (collects) (response as Answer).collect();
    work(response as Answer);
    response.end('body');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    return await new Promise((resolve, reject) => {
      const { port } = server.address() as AddressInfo;
      ask({ port, host: '127.0.0.1', agent: false }, (response) => {
        response.resume();
        const own = new Set(['Date', 'Connection', 'Keep-Alive']);
        const fields = response.rawHeaders.flatMap((name, at) =>
          at % 2 === 0 && !own.has(name) ? [name, response.rawHeaders[at + 1] as string] : [],
        );
        response.once('end', () => resolve({ status: response.statusCode as number, fields }));
      })
        .once('error', reject)
        .end();
    });
  } finally {
    server.close();
  }
}

const CASES: readonly (readonly [string, (answer: Answer) => void])[] = [
  ['nothing told', () => {}],
  ['fields', (answer) => void answer.setHeader('X-One', '1').setHeader('Content-Length', 4)],
  ['a field told twice, in another case', (answer) => void answer.setHeader('X-One', '1').setHeader('X-Two', '2').setHeader('x-one', '3')],
  ['a field with several values', (answer) => void answer.setHeader('Set-Cookie', ['a=1', 'b=2'])],
  ['a field taken back', (answer) => answer.setHeader('X-One', '1').setHeader('X-Two', '2').removeHeader('x-one')],
  ['the length taken back', (answer) => answer.setHeader('Content-Length', 4).removeHeader('Content-Length')],
  ['a value added', (answer) => void answer.setHeader('Vary', 'Origin').appendHeader('Vary', 'Accept-Encoding')],
  ['several fields at once', (answer) => void answer.setHeader('X-One', '1').setHeaders(new Map([['X-Two', '2']]))],
  ['a status', (answer) => void (answer.setHeader('X-One', '1').statusCode = 404)],
  ['a head of one’s own', (answer) => void answer.setHeader('X-One', '1').writeHead(201, { 'X-Two': '2', 'x-one': '3' })],
  ['a head that says no more than its status', (answer) => void answer.setHeader('X-One', '1').writeHead(202)],
  ['a head with a reason', (answer) => void answer.setHeader('X-One', '1').writeHead(202, 'Taken', { 'X-Two': '2' })],
  ['a connection that ends', (answer) => void answer.setHeader('Connection', 'close').setHeader('X-One', '1')],
];

describe(collectingHeads, () => {
  it.each(CASES)('sends what Node would: %s', async (_, work) => {
    expect(await told(true, work)).toEqual(await told(false, work));
  });

  it.each(CASES)('knows what it was told, as Node would: %s', async (_, work) => {
    const known = async (collects: boolean): Promise<unknown[]> => {
      const seen: unknown[] = [];
      await told(collects, (answer) => {
        work(answer);
        seen.push(
          answer.getHeaderNames(),
          { ...answer.getHeaders() },
          answer.getHeader('X-ONE'),
          answer.hasHeader('x-two'),
          answer.hasHeader('x-six'),
        );
      });
      return seen;
    };
    expect(await known(true)).toEqual(await known(false));
  });

  it('still knows it when it was sent, and takes nothing more', async () => {
    await told(true, (answer) => {
      answer.setHeader('Content-Length', 4).flushHeaders();
      expect(answer.getHeader('content-length')).toBe(4);
      expect(() => answer.setHeader('X-One', '1')).toThrow(expect.objectContaining({ code: 'ERR_HTTP_HEADERS_SENT' }));
      expect(() => answer.removeHeader('Content-Length')).toThrow(expect.objectContaining({ code: 'ERR_HTTP_HEADERS_SENT' }));
    });
  });

  it('keeps what was told before it began', async () => {
    const { fields } = await told(false, (answer) => {
      answer.setHeader('X-One', '1');
      answer.collect();
      answer.setHeader('X-Two', '2');
    });
    expect(fields).toEqual(expect.arrayContaining(['X-One', '1', 'X-Two', '2']));
  });

  it('begins anew where Node refuses a field', async () => {
    const { status, fields } = await told(true, (answer) => {
      answer.setHeader('X-One', 'a\nb');
      expect(() => answer.writeHead(200)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_CHAR' }));
      answer.setHeader('X-Two', '2').statusCode = 500;
    });
    expect([status, ...fields]).toEqual(expect.arrayContaining([500, 'X-Two', '2']));
    expect(fields).not.toContain('X-One');
  });
});
