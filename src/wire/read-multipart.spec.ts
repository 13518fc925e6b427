import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { buffer, text } from 'node:stream/consumers';
import { type FormFile, type FormLimits, readMultipart } from './read-multipart';

const BOUNDARY = '----form-boundary';
const FORM_TYPE = `Content-Type: multipart/form-data; boundary=${BOUNDARY}`;
const LIMITS: FormLimits = { maxFiles: 1, maxFields: 3, maxFieldBytes: 100, bodySeconds: 1 };
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

/** A part of a form, its content as it is. */
function part(disposition: string, content: string | Buffer, ...headers: readonly string[]): Buffer {
  const head = [`--${BOUNDARY}`, `Content-Disposition: form-data; ${disposition}`, ...headers, '', ''].join('\r\n');
  return Buffer.concat([Buffer.from(head), Buffer.from(content), Buffer.from('\r\n')]);
}

function field(name: string, value: string | Buffer): Buffer {
  return part(`name="${name}"`, value);
}

function file(filename: string, content: string | Buffer): Buffer {
  return part(`name="file"; filename="${filename}"`, content, 'Content-Type: application/octet-stream');
}

const END = Buffer.from(`--${BOUNDARY}--\r\n`);

type Take = (file: FormFile) => Promise<void>;

interface Exchange {
  readonly form: Promise<ReadonlyMap<string, string>>;
  readonly request: IncomingMessage;
  readonly socket: Socket;
}

/** Sends the head of a request and the beginning of its body; reads the form while it arrives. */
async function open(headers: readonly string[], begin: Buffer, take: Take, limits: FormLimits = LIMITS): Promise<Exchange> {
  const arrived = once(server, 'request') as Promise<[IncomingMessage]>;
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {}); // a test may cut it
  socket.write(['POST / HTTP/1.1', 'Host: localhost', ...headers, '', ''].join('\r\n'));
  socket.write(begin);
  const [request] = await arrived;
  const form = readMultipart(request, limits, take);
  form.catch(() => {}); // whoever awaits it later sees it all the same
  return { form, request, socket };
}

async function drain({ content }: FormFile): Promise<void> {
  await buffer(content);
}

/** What becomes of a form that is sent whole. */
async function read(parts: readonly Buffer[], { take = drain, limits = LIMITS, type = FORM_TYPE, more = [] as readonly string[] } = {}) {
  const body = Buffer.concat(parts);
  const { form, socket } = await open([type, `Content-Length: ${body.length}`, ...more], body, take, limits);
  try {
    return Object.fromEntries(await form);
  } finally {
    socket.destroy();
  }
}

function malformed(reason: string): object {
  const details = { field: 'body', expected: 'multipart/form-data (RFC 7578)', actual: reason };
  return { code: 'MALFORMED_MULTIPART', kind: 'malformed', details };
}

/** Takes a file and reads it to its end; says when it began to, and how it ended. */
function observer() {
  const began = Promise.withResolvers<void>();
  const state: { ended?: 'read' | 'failed'; error?: unknown } = {};
  const take: Take = async ({ content }) => {
    began.resolve();
    try {
      await buffer(content);
      state.ended = 'read';
    } catch (error) {
      state.ended = 'failed';
      state.error = error;
      throw error;
    }
  };
  return { take, began: began.promise, state };
}

describe(readMultipart, () => {
  it('gives the fields, and hands over the file', async () => {
    const files: unknown[] = [];
    const take: Take = async ({ filename, content }) => void files.push({ filename, content: await text(content) });
    const fields = await read([field('name', 'iris'), file('model.onnx', 'the model'), field('stage', 'production'), END], { take });
    expect(fields).toEqual({ name: 'iris', stage: 'production' });
    expect(files).toEqual([{ filename: 'model.onnx', content: 'the model' }]);
  });

  it('reads a form in whatever order its parts come', async () => {
    await expect(read([file('model.onnx', 'x'), field('name', 'iris'), END])).resolves.toEqual({ name: 'iris' });
    await expect(read([field('name', 'iris'), END])).resolves.toEqual({ name: 'iris' });
  });

  it('reads a form that comes byte by byte', async () => {
    const body = Buffer.concat([field('name', 'iris'), file('model.onnx', 'ab'), END]);
    const { form, socket } = await open([FORM_TYPE, `Content-Length: ${body.length}`], body.subarray(0, 1), drain);
    socket.setNoDelay(true);
    for (const byte of body.subarray(1)) {
      await new Promise((resolve) => setImmediate(resolve));
      socket.write(Buffer.of(byte));
    }
    expect(Object.fromEntries(await form)).toEqual({ name: 'iris' });
    socket.destroy();
  });

  it('passes on a large file byte for byte while it arrives', async () => {
    const content = randomBytes(5 * 2 ** 20);
    const hash = createHash('sha256');
    let chunks = 0;
    const take: Take = async (formFile) => {
      for await (const chunk of formFile.content) {
        chunks++;
        hash.update(chunk as Buffer);
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await read([file('model.onnx', content), END], { take });
    expect(hash.digest('hex')).toBe(createHash('sha256').update(content).digest('hex'));
    expect(chunks).toBeGreaterThan(1);
  });

  it('takes a part for a field although it carries a file name', async () => {
    const parts = [part('name="metadata"; filename="metadata.json"', '{}', 'Content-Type: application/octet-stream'), END];
    await expect(read(parts)).resolves.toEqual({ metadata: '{}' });
  });

  it('hands over a file without a name, under an empty one', async () => {
    const names: string[] = [];
    const take: Take = async (formFile) => {
      names.push(formFile.filename);
      await drain(formFile);
    };
    await read([part('name="file"', 'the model'), END], { take });
    expect(names).toEqual(['']);
  });

  it.each(['../../etc/passwd', '/etc/passwd', String.raw`C:\models\m.onnx`, 'a/b.onnx', '..'])(
    'mends no name with a path in it: %s',
    async (filename) => {
      const names: string[] = [];
      const take: Take = async (formFile) => {
        names.push(formFile.filename);
        await drain(formFile);
      };
      await read([file(filename.replaceAll('\\', '\\\\'), 'x'), END], { take });
      expect(names).toEqual([filename]);
    },
  );

  it('keeps texts in UTF-8 as they are', async () => {
    await expect(read([field('description', 'naïve ☃ 🦆'), END])).resolves.toEqual({ description: 'naïve ☃ 🦆' });
  });

  // they become U+FFFD: the text that is stored is not the text that was sent
  it('refuses a field that is not UTF-8', async () => {
    await expect(read([field('description', Buffer.from([0xff, 0xfe])), END])).rejects.toMatchObject({ code: 'MALFORMED_MULTIPART' });
  });

  it('reads a field called "__proto__" like any other', async () => {
    const body = Buffer.concat([field('__proto__', 'x'), END]);
    const { form, socket } = await open([FORM_TYPE, `Content-Length: ${body.length}`], body, drain);
    expect([...(await form)]).toEqual([['__proto__', 'x']]);
    socket.destroy();
  });

  it('ignores what comes before the first part and after the last', async () => {
    await expect(read([Buffer.from('preamble\r\n'), field('name', 'iris'), END, Buffer.from('epilogue')])).resolves.toEqual({
      name: 'iris',
    });
  });

  it('gives no fields of a form that has none', async () => {
    await expect(read([END])).resolves.toEqual({});
  });

  describe('of a content type', () => {
    it.each([
      `multipart/form-data;boundary=${BOUNDARY}`,
      `multipart/form-data; boundary="${BOUNDARY}"`,
      `Multipart/Form-Data; charset=utf-8; boundary=${BOUNDARY}`,
      `multipart/form-data ; boundary=${BOUNDARY}`,
    ])('accepts %s', async (type) => {
      await expect(read([field('name', 'iris'), END], { type: `Content-Type: ${type}` })).resolves.toEqual({ name: 'iris' });
    });

    it.each([
      'multipart/form-data',
      `multipart/mixed; boundary=${BOUNDARY}`,
      `multipart/form-datax; boundary=${BOUNDARY}`,
      'application/json',
      'application/x-www-form-urlencoded',
      `text/plain, multipart/form-data; boundary=${BOUNDARY}`,
    ])('refuses %s', async (type) => {
      const details = { field: 'Content-Type', expected: 'multipart/form-data', actual: type };
      const reading = read([field('name', 'iris'), END], { type: `Content-Type: ${type}` });
      await expect(reading).rejects.toMatchObject({ code: 'UNSUPPORTED_MEDIA_TYPE', kind: 'media-type', details });
    });

    it('refuses a form without one', async () => {
      const reading = read([field('name', 'iris'), END], { type: 'X-Other: none' });
      await expect(reading).rejects.toMatchObject({ code: 'UNSUPPORTED_MEDIA_TYPE', details: { actual: 'none' } });
    });

    it.each(['multipart/form-data; charset=utf-8', 'multipart/form-data; boundary', 'multipart/form-data;'])(
      'refuses %s, which has no boundary',
      async (type) => {
        const reading = read([field('name', 'iris'), END], { type: `Content-Type: ${type}` });
        await expect(reading).rejects.toMatchObject(malformed('Multipart: Boundary not found'));
      },
    );

    it.each(['gzip', 'gzip, gzip', 'br'])('refuses the content encoding %s', async (encoding) => {
      const reading = read([field('name', 'iris'), END], { more: [`Content-Encoding: ${encoding}`] });
      await expect(reading).rejects.toMatchObject({
        code: 'UNSUPPORTED_MEDIA_TYPE',
        details: { field: 'Content-Encoding', actual: encoding },
      });
    });
  });

  describe('of a form that it does not take', () => {
    it('refuses a field that comes twice', async () => {
      const parts = [field('name', 'iris'), field('name', 'price'), END];
      await expect(read(parts)).rejects.toMatchObject(malformed('the field name comes twice'));
    });

    it('takes as many fields as allowed, and refuses one more', async () => {
      const three = [field('a', '1'), field('b', '2'), field('c', '3')];
      await expect(read([...three, END])).resolves.toEqual({ a: '1', b: '2', c: '3' });
      await expect(read([...three, field('d', '4'), END])).rejects.toMatchObject(malformed('it has too many fields'));
    });

    it('takes as long a field as allowed, and refuses a longer one', async () => {
      await expect(read([field('a', 'x'.repeat(100)), END])).resolves.toEqual({ a: 'x'.repeat(100) });
      await expect(read([field('a', 'x'.repeat(101)), END])).rejects.toMatchObject(malformed('the field a is too long'));
    });

    it('refuses a file too many, and has settled with the first', async () => {
      const { take, state } = observer();
      const parts = [file('a.onnx', 'a'), file('b.onnx', 'b'), END];
      await expect(read(parts, { take })).rejects.toMatchObject(malformed('it has too many files'));
      expect(state.ended).toBeDefined();
    });

    it('takes no file of a form that was refused before it', async () => {
      const take = jest.fn(drain);
      const parts = [field('name', 'iris'), field('name', 'price'), file('model.onnx', randomBytes(2 ** 20)), END];
      await expect(read(parts, { take })).rejects.toMatchObject(malformed('the field name comes twice'));
      expect(take).not.toHaveBeenCalled();
    });

    it('takes as many files as allowed', async () => {
      const contents: string[] = [];
      const take: Take = async ({ content }) => void contents.push(await text(content));
      await read([file('a.onnx', 'a'), file('b.onnx', 'b'), END], { take, limits: { ...LIMITS, maxFiles: 2 } });
      expect(contents).toEqual(['a', 'b']);
    });

    it.each([
      ['in a field', [part('name="name"', 'ir').subarray(0, -2)]],
      ['before the last boundary', [field('name', 'iris')]],
      ['in a boundary', [field('name', 'iris'), END.subarray(0, -6)]],
      ['in the head of a part', [Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; na`)]],
      ['before it began', [Buffer.from('')]],
    ])('refuses a form that ends %s', async (_, parts) => {
      await expect(read(parts)).rejects.toMatchObject({ code: 'MALFORMED_MULTIPART' });
    });

    it('refuses a form that ends in its file, and tells whoever takes the file', async () => {
      const { take, state } = observer();
      await expect(read([file('model.onnx', 'half of the mod')], { take })).rejects.toMatchObject({ code: 'MALFORMED_MULTIPART' });
      expect(state.ended).toBe('failed');
    });

    it('refuses a form with another boundary than it said', async () => {
      const type = 'Content-Type: multipart/form-data; boundary=another';
      await expect(read([field('name', 'iris'), END], { type })).rejects.toMatchObject({ code: 'MALFORMED_MULTIPART' });
    });
  });

  describe('of a file that is not taken', () => {
    it("gives the taker's own error, unchanged", async () => {
      const full = new Error('the volume is full');
      const take: Take = async ({ content }) => {
        for await (const chunk of content) if ((chunk as Buffer).length > 0) throw full;
      };
      await expect(read([file('model.onnx', randomBytes(2 ** 20)), END], { take })).rejects.toBe(full);
    });

    it("gives the taker's own error although it read nothing, and does not wait for the rest of the file", async () => {
      const refused = new Error('not a plain name');
      const begin = file('model.onnx', randomBytes(2 ** 16)).subarray(0, 1000);
      const { form, socket, request } = await open([FORM_TYPE, 'Content-Length: 1000000'], begin, () => Promise.reject(refused));
      await expect(form).rejects.toBe(refused);
      expect(request.complete).toBe(false);
      socket.destroy();
    });

    it("gives the taker's own error although the form is at its end", async () => {
      const damaged = new Error('not a model');
      const take: Take = async (formFile) => {
        await drain(formFile);
        await new Promise((resolve) => setTimeout(resolve, 20)); // the form has long been read
        throw damaged;
      };
      await expect(read([file('model.onnx', 'x'), field('name', 'iris'), END], { take })).rejects.toBe(damaged);
    });
  });

  describe('of a file that is taken slowly', () => {
    it('waits until it is taken', async () => {
      const gate = Promise.withResolvers<void>();
      let taken = false;
      const take: Take = async (formFile) => {
        await drain(formFile);
        await gate.promise;
        taken = true;
      };
      const reading = read([file('model.onnx', 'x'), field('name', 'iris'), END], { take });
      const first = await Promise.race([reading, new Promise((resolve) => setTimeout(resolve, 20, 'still waiting'))]);
      expect(first).toBe('still waiting');
      gate.resolve();
      await reading;
      expect(taken).toBe(true);
    });

    it('waits for the end of its taking also where the form was refused meanwhile', async () => {
      const gate = Promise.withResolvers<void>();
      let settled = false;
      const take: Take = async (formFile) => {
        await drain(formFile).catch(() => {}); // it may be cut, or not
        await gate.promise;
        settled = true;
      };
      const reading = read([file('model.onnx', 'x'), field('name', 'a'), field('name', 'b'), END], { take });
      const outcome = reading.catch((error: unknown) => error);
      const first = await Promise.race([outcome, new Promise((resolve) => setTimeout(resolve, 20, 'still waiting'))]);
      expect(first).toBe('still waiting');
      gate.resolve();
      await expect(outcome).resolves.toMatchObject(malformed('the field name comes twice'));
      expect(settled).toBe(true);
    });
  });

  describe('of a caller who goes away', () => {
    it('fails the taking of the file, and settles after it', async () => {
      const { take, began, state } = observer();
      const begin = file('model.onnx', randomBytes(2 ** 16)).subarray(0, 2 ** 15);
      const { form, socket } = await open([FORM_TYPE, 'Content-Length: 1000000'], begin, take);
      await began;
      expect(state.ended).toBeUndefined();
      socket.destroy();
      await expect(form).rejects.toMatchObject({ code: 'BODY_ABORTED', kind: 'malformed', details: { field: 'body' } });
      expect(state.ended).toBe('failed');
      expect(state.error).toMatchObject({ code: 'BODY_ABORTED' });
    });

    it('does not wait for a field that never ends', async () => {
      const { form, socket } = await open([FORM_TYPE, 'Content-Length: 1000000'], field('name', 'iris').subarray(0, 60), drain);
      socket.destroy();
      await expect(form).rejects.toMatchObject({ code: 'BODY_ABORTED' });
    });

    it('does not take a chunked form that was cut for a whole one', async () => {
      const body = Buffer.concat([field('name', 'iris'), file('model.onnx', 'x')]);
      const begin = Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n')]);
      const { form, socket } = await open([FORM_TYPE, 'Transfer-Encoding: chunked'], begin, drain);
      socket.end();
      await expect(form).rejects.toMatchObject({ code: 'BODY_ABORTED' });
    });
  });
});
