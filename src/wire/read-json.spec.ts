import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { readJson } from './read-json';

const LIMIT = 64;
const server = createServer();
let port = 0;

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
});

afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

interface Exchange {
  /** What became of the body. */
  readonly body: Promise<unknown>;
  readonly request: IncomingMessage;
  readonly socket: Socket;
}

/** Sends the head of a request, and the beginning of its body, as they are; reads the body with a limit of 64 bytes. */
async function open(headers: readonly string[], ...chunks: readonly (string | Buffer)[]): Promise<Exchange> {
  const arrived = once(server, 'request') as Promise<[IncomingMessage]>;
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {}); // a test may cut it
  socket.write(['POST / HTTP/1.1', 'Host: localhost', ...headers, '', ''].join('\r\n'));
  for (const part of chunks) socket.write(part);
  const [request] = await arrived;
  const body = readJson(request, { maxJsonBytes: LIMIT, bodySeconds: 1 });
  body.catch(() => {}); // whoever awaits it later sees it all the same
  return { body, request, socket };
}

/** What becomes of a body that is sent whole. */
async function read(headers: readonly string[], body: string | Buffer): Promise<unknown> {
  const exchange = await open([...headers, `Content-Length: ${Buffer.byteLength(body)}`], body);
  try {
    return await exchange.body;
  } finally {
    exchange.socket.destroy();
  }
}

function chunk(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
}

const JSON_TYPE = 'Content-Type: application/json';
const TOO_LARGE = { code: 'BODY_TOO_LARGE', kind: 'too-large', details: { field: 'body', expected: 'at most 64 bytes' } };
const ABORTED = { code: 'BODY_ABORTED', kind: 'malformed', details: { field: 'body' } };

function mediaType(field: string, expected: string, actual: string): object {
  return { code: 'UNSUPPORTED_MEDIA_TYPE', kind: 'media-type', details: { field, expected, actual } };
}

function malformed(actual: unknown): object {
  return { code: 'MALFORMED_JSON', kind: 'malformed', details: { field: 'body', expected: 'one JSON value in UTF-8', actual } };
}

describe(readJson, () => {
  it.each(['{"a": [1, 2.5, -3e2, true, null, "ä ☃ 🦆"]}', '[]', '7', '"text"', 'null', ' \t\r\n{} \n'])('reads %j', async (text) => {
    await expect(read([JSON_TYPE], text)).resolves.toEqual(JSON.parse(text));
  });

  describe('of a content type', () => {
    it.each([
      'application/json',
      'Application/JSON',
      'application/json; charset=utf-8',
      'application/json;charset=UTF-8',
      'application/json; charset="utf-8"',
      ' application/json', // white space around a value is no part of it (RFC 9110, 5.5)
      'application/json\t',
    ])('accepts %j', async (type) => {
      await expect(read([`Content-Type:${type}`], '7')).resolves.toBe(7);
    });

    it.each([
      'text/plain',
      'text/json',
      'application/jsonp',
      'application/json5',
      'application/problem+json',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/json\ta',
      'application/json a',
      'application/json;',
      'application/json; charset=utf-7',
      'application/json; charset=utf-16',
      'application/json; charset=iso-8859-1',
      'application/json; charset=',
      'application/json; charset=utf-8; charset=utf-7',
      'application/json; boundary=x',
      'application/json; charset=utf-8x',
      'application/json, text/html',
      'text/html, application/json',
      'application /json',
      'application/',
      'json',
      '*/*',
    ])('refuses %j', async (type) => {
      await expect(read([`Content-Type: ${type}`], '7')).rejects.toMatchObject(mediaType('Content-Type', 'application/json', type));
    });

    it('refuses a body without one', async () => {
      await expect(read([], '7')).rejects.toMatchObject(mediaType('Content-Type', 'application/json', 'none'));
      await expect(read(['Content-Type:'], '7')).rejects.toMatchObject(mediaType('Content-Type', 'application/json', ''));
    });

    // Node keeps the first and forgets the others: whoever reads the last would read another body
    it('refuses two of them', async () => {
      await expect(read([JSON_TYPE, 'Content-Type: text/html'], '7')).rejects.toMatchObject({ code: 'UNSUPPORTED_MEDIA_TYPE' });
    });

    it('refuses a charset with one quotation mark', async () => {
      await expect(read([`${JSON_TYPE}; charset="utf-8`], '7')).rejects.toMatchObject({ code: 'UNSUPPORTED_MEDIA_TYPE' });
    });
  });

  describe('of a content encoding', () => {
    it('accepts the one that changes nothing', async () => {
      await expect(read([JSON_TYPE, 'Content-Encoding: identity'], '7')).resolves.toBe(7);
    });

    it.each(['gzip', 'deflate', 'br', 'zstd', 'gzip, gzip', 'identity, gzip', 'x-unknown', 'utf-8'])('refuses %s', async (encoding) => {
      const error = mediaType('Content-Encoding', 'absent', encoding);
      await expect(read([JSON_TYPE, `Content-Encoding: ${encoding}`], '7')).rejects.toMatchObject(error);
    });

    it('refuses several headers of it', async () => {
      const error = mediaType('Content-Encoding', 'absent', 'identity, gzip');
      await expect(read([JSON_TYPE, 'Content-Encoding: identity', 'Content-Encoding: gzip'], '7')).rejects.toMatchObject(error);
    });
  });

  describe('of a size', () => {
    const longest = `"${'x'.repeat(LIMIT - 2)}"`;

    it('reads a body of exactly the limit, however it is sent', async () => {
      await expect(read([JSON_TYPE], longest)).resolves.toHaveLength(LIMIT - 2);
      const { body, socket } = await open([JSON_TYPE, 'Transfer-Encoding: chunked'], ...longest.split('').map(chunk), chunk(''));
      await expect(body).resolves.toHaveLength(LIMIT - 2);
      socket.destroy();
    });

    it('refuses a body that says that it is too large before any of it has come', async () => {
      const { body, socket, request } = await open([JSON_TYPE, `Content-Length: ${LIMIT + 1}`]);
      await expect(body).rejects.toMatchObject(TOO_LARGE);
      expect(request.complete).toBe(false);
      socket.destroy();
    });

    it('refuses a body that grows too large, and reads no more of it', async () => {
      const { body, socket, request } = await open([JSON_TYPE, 'Transfer-Encoding: chunked'], ...longest.split('').map(chunk), chunk(' '));
      await expect(body).rejects.toMatchObject(TOO_LARGE);
      expect(request.complete).toBe(false);
      expect(request.isPaused()).toBe(true);
      socket.destroy();
    });

    it('counts bytes, not characters', async () => {
      await expect(read([JSON_TYPE], `"${'ä'.repeat(LIMIT / 2)}"`)).rejects.toMatchObject(TOO_LARGE);
    });

    it('does not mind that a caller goes away whose body was too large', async () => {
      const { body, socket, request } = await open([JSON_TYPE, 'Transfer-Encoding: chunked'], chunk('x'.repeat(LIMIT + 1)));
      await expect(body).rejects.toMatchObject(TOO_LARGE);
      const closed = once(request, 'close').catch(() => {}); // `once` rejects with the error of the caller's going
      socket.destroy();
      await closed;
      await expect(body).rejects.toMatchObject(TOO_LARGE);
    });
  });

  describe('of a body that is no JSON', () => {
    it('says that it is empty', async () => {
      await expect(read([JSON_TYPE], '')).rejects.toMatchObject(malformed('it is empty'));
      const { body, socket } = await open([JSON_TYPE]);
      await expect(body).rejects.toMatchObject(malformed('it is empty'));
      socket.destroy();
    });

    it.each(['{', '{"a":}', '[1,]', '01', '+1', '.5', 'NaN', 'Infinity', "{'a': 1}", '{} {}', '// comment', 'undefined', '"\n"', ' '])(
      'refuses %j, and says where',
      async (text) => {
        await expect(read([JSON_TYPE], text)).rejects.toMatchObject(malformed(expect.stringMatching(/JSON/)));
      },
    );

    it.each([
      ['a byte that UTF-8 has not', Buffer.from([0x22, 0xff, 0x22])],
      ['a letter in Latin-1', Buffer.from('"é"', 'latin1')],
      ['a text that is cut in a letter', Buffer.from([0x22, 0xc3, 0x22])],
      ['an overlong zero', Buffer.from([0x22, 0xc0, 0x80, 0x22])],
      ['a surrogate', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])],
      ['UTF-16 with its mark', Buffer.from([0xff, 0xfe, 0x37, 0x00])],
    ])('refuses %s', async (_, bytes) => {
      await expect(read([JSON_TYPE], bytes)).rejects.toMatchObject(malformed(expect.stringMatching(/utf-8/i)));
    });

    it('refuses a byte order mark', async () => {
      await expect(read([JSON_TYPE], '\uFEFF{}')).rejects.toMatchObject({ code: 'MALFORMED_JSON' });
    });

    it('reads a letter whose bytes come one by one', async () => {
      const bytes = [...Buffer.from('"☃"')].map((byte) => Buffer.concat([Buffer.from('1\r\n'), Buffer.from([byte]), Buffer.from('\r\n')]));
      const { body, socket } = await open([JSON_TYPE, 'Transfer-Encoding: chunked']);
      for (const each of bytes) {
        socket.write(each);
        await sleep(1);
      }
      socket.write(chunk(''));
      await expect(body).resolves.toBe('☃');
      socket.destroy();
    });
  });

  describe('of a caller who goes away', () => {
    it('does not wait for the rest of a body that said how long it is', async () => {
      const { body, socket } = await open([JSON_TYPE, 'Content-Length: 10'], '{"a":');
      socket.destroy();
      await expect(body).rejects.toMatchObject(ABORTED);
    });

    it('does not take the beginning of a chunked body for all of it', async () => {
      const { body, socket } = await open([JSON_TYPE, 'Transfer-Encoding: chunked'], chunk('7'));
      socket.end();
      await expect(body).rejects.toMatchObject(ABORTED);
    });
  });
});
