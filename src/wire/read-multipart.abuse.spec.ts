import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { openFiles } from '../../test/archives/unpacked';
import { AppError } from '../errors/app-error';
import { type FormFile, readMultipart } from './read-multipart';

const LIMITS = { maxFiles: 1, maxFields: 3, maxFieldBytes: 100, bodySeconds: 30 };
const MiB = 2 ** 20;

interface Outcome {
  readonly code: string;
  readonly fields?: unknown;
  readonly files: readonly FormFile[];
  readonly contents: readonly string[];
  readonly error?: unknown;
}

let outcome: (seen: Outcome) => void = () => {};
const server = createServer({ maxHeaderSize: 16_384 }, (request, response) => {
  const files: FormFile[] = [];
  const contents: string[] = [];
  const take = async (taken: FormFile): Promise<void> => {
    files.push(taken);
    contents.push((await buffer(taken.content)).toString('latin1'));
  };
  void readMultipart(request, LIMITS, take).then(
    (fields) => {
      response.end();
      return outcome({ code: 'read', fields: Object.fromEntries(fields), files, contents });
    },
    (error: unknown) => {
      response.writeHead(400, { Connection: 'close' }).end();
      outcome({ code: error instanceof AppError ? error.code : String(error), files, contents, error });
    },
  );
});
let port = 0;
let idle = 0;

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
  await send([field('a', 'b'), END]); // whatever is opened once
  await new Promise((resolve) => setTimeout(resolve, 100));
  idle = openFiles('socket:');
});

afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

const END = '--b--\r\n';
const TYPE = 'multipart/form-data; boundary=b';

function part(headers: readonly string[], content: string | Buffer): Buffer {
  return Buffer.concat([Buffer.from(['--b', ...headers, '', ''].join('\r\n'), 'latin1'), Buffer.from(content), Buffer.from('\r\n')]);
}

function field(name: string, value: string): Buffer {
  return part([`Content-Disposition: form-data; name="${name}"`], value);
}

function file(parameters: string, content: string | Buffer = 'model'): Buffer {
  return part([`Content-Disposition: form-data; name="file"${parameters}`, 'Content-Type: application/octet-stream'], content);
}

/** Sends a form over a socket of its own. @returns what became of it, when every open file is closed again */
async function send(parts: readonly (string | Buffer)[], { type = TYPE, missing = 0, cut = false, ms = 2000 } = {}): Promise<Outcome> {
  const seen = Promise.withResolvers<Outcome>();
  outcome = seen.resolve;
  const body = Buffer.concat(parts.map((each) => Buffer.from(each)));
  const start = performance.now();
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {}); // the server may hang up
  const closed = new Promise((resolve) => socket.on('close', resolve));
  socket.resume();
  socket.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\nContent-Length: ${body.length + missing}\r\n\r\n`);
  socket.write(body, () => cut && socket.destroy());
  const result = await Promise.race([seen.promise, closed.then(() => afterClose(seen.promise))]);
  expect(performance.now() - start).toBeLessThan(ms);
  socket.destroy();
  await closed;
  for (let wait = 0; wait < 100 && idle > 0 && openFiles('socket:') > idle; wait++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(result.files.every(({ content }) => content.destroyed)).toBe(true);
  return result;
}

/** The server hung up: either the form was never seen (Node refused its head), or it is about to be told. */
async function afterClose(seen: Promise<Outcome>): Promise<Outcome> {
  const none: Outcome = { code: 'not seen', files: [], contents: [] };
  return Promise.race([seen, new Promise<Outcome>((resolve) => setTimeout(resolve, 500, none))]);
}

afterEach(async () => {
  expect(openFiles('socket:')).toBe(idle);
  expect(await send([field('name', 'iris'), file('; filename="m.onnx"'), END])).toMatchObject({ code: 'read', contents: ['model'] });
});

describe('readMultipart, abused', () => {
  it.each([
    ['a boundary of 10 MB in the header', [END], { type: `multipart/form-data; boundary=${'b'.repeat(10 * MiB)}` }, 'not seen'],
    ['a boundary of 10 kB', [field('a', 'b'), END], { type: `multipart/form-data; boundary=${'b'.repeat(10_000)}` }, 'MALFORMED_MULTIPART'],
    ['10 MB that look like a boundary', [`--b${'b'.repeat(10 * MiB)}`], {}, 'MALFORMED_MULTIPART'],
    ['10 MB of dashes', ['-'.repeat(10 * MiB)], {}, 'MALFORMED_MULTIPART'],
    ['10 MB of almost boundaries', ['\r\n--'.repeat(2.5 * MiB)], {}, 'MALFORMED_MULTIPART'],
    ['no boundary', [END], { type: 'multipart/form-data' }, 'UNSUPPORTED_MEDIA_TYPE'],
    ['no part and no end', [], {}, 'MALFORMED_MULTIPART'],
    ['no end after a field', [field('a', 'b')], {}, 'MALFORMED_MULTIPART'],
    ['no end after a file', [file('; filename="m"')], {}, 'MALFORMED_MULTIPART'],
    ['no end inside a file', [file('; filename="m"', 'x'.repeat(MiB)).subarray(0, -5)], {}, 'MALFORMED_MULTIPART'],
    ['no end inside a header', ['--b\r\nContent-Disposition: form-data; na'], {}, 'MALFORMED_MULTIPART'],
    ['100,000 fields', [Buffer.concat(Array.from({ length: 100_000 }, (_, at) => field(`${at}`, 'x'))), END], {}, 'MALFORMED_MULTIPART'],
    ['100,000 files', [Buffer.concat(Array.from({ length: 100_000 }, () => file('; filename="m"'))), END], {}, 'MALFORMED_MULTIPART'],
    ['100,000 parts without a name', [...Array.from({ length: 100_000 }, () => part(['X: y'], 'x')), END], {}, 'MALFORMED_MULTIPART'],
    ['100,000 parts of nothing', [...Array.from({ length: 100_000 }, () => '--b\r\n\r\n\r\n'), END], {}, 'MALFORMED_MULTIPART'],
    ['100,000 boundaries', [...Array.from({ length: 100_000 }, () => '--b\r\n'), END], {}, 'MALFORMED_MULTIPART'],
    ['an empty name', [...[part(['Content-Disposition: form-data; name=""'], 'x')], END], {}, 'MALFORMED_MULTIPART'],
    ['no name', [...[part(['Content-Disposition: form-data'], 'x')], END], {}, 'MALFORMED_MULTIPART'],
    ['a name twice', [field('a', 'b'), field('a', 'c'), END], {}, 'MALFORMED_MULTIPART'],
    ['a body that is cut inside a file', [file('; filename="m"', 'x'.repeat(MiB))], { missing: MiB, cut: true }, 'BODY_ABORTED'],
    ['a body that is cut inside a field', [field('a', 'b').subarray(0, 50)], { missing: 100, cut: true }, 'BODY_ABORTED'],
    ['a body that is cut inside a header', ['--b\r\nContent-Disp'], { missing: 100, cut: true }, 'BODY_ABORTED'],
    ['a body that is cut before it begins', [], { missing: 100, cut: true }, 'BODY_ABORTED'],
  ])('refuses %s', async (_what, parts, options, code) => {
    expect((await send(parts, options)).code).toBe(code);
  });

  it.each([
    ['a header of 1 MB', [part([`Content-Disposition: form-data; name="${'x'.repeat(MiB)}"`], 'x')]],
    ['a header of 1 MB before the name', [part([`X: ${'x'.repeat(MiB)}`, 'Content-Disposition: form-data; name="a"'], 'x')]],
    ['a header of 1 MB after the name', [part(['Content-Disposition: form-data; name="a"', `X: ${'x'.repeat(MiB)}`], 'x')]],
    ['10,000 headers', [part([...Array.from({ length: 10_000 }, () => 'X: y'), 'Content-Disposition: form-data; name="a"'], 'x')]],
    ['a header without a colon', [part(['nonsense', 'Content-Disposition: form-data; name="a"'], 'x')]],
    ['a header with a NUL', [part(['X\0: y', 'Content-Disposition: form-data; name="a"'], 'x')]],
    ['a part that is an attachment', [part(['Content-Disposition: attachment; name="file"'], 'x')]],
    ['a name that is not closed', [part(['Content-Disposition: form-data; name="file'], 'x')]],
    ['a charset that nobody knows', [part(['Content-Disposition: form-data; name="a"', 'Content-Type: text/plain; charset=x-no'], 'x')]],
  ])('refuses %s, or takes no file from it', async (_what, parts) => {
    const seen = await send([...parts, END]);
    expect(['read', 'MALFORMED_MULTIPART']).toContain(seen.code);
    expect(seen.contents.every((content) => content === 'x')).toBe(true);
  });

  it.each(['boundary=', 'boundary=""', 'boundary=b; boundary=c', 'boundary*=b', 'boundary="b', "boundary*=UTF-8''b"])(
    'reads or refuses a form with %s',
    async (parameter) => {
      const seen = await send([field('a', 'b'), END], { type: `multipart/form-data; ${parameter}` });
      expect(['read', 'MALFORMED_MULTIPART']).toContain(seen.code);
    },
  );

  it('takes a form inside a form for the bytes of a file', async () => {
    const inner = '--c\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\nhidden\r\n--c--\r\n';
    const outer = part(['Content-Disposition: form-data; name="file"', 'Content-Type: multipart/mixed; boundary=c'], inner);
    expect(await send([outer, END])).toMatchObject({ code: 'read', fields: {}, contents: [inner] });
  });

  it.each([
    ['two file names', '; filename="good.onnx"; filename="../evil.onnx"'],
    ['an extended file name', "; filename*=UTF-8''..%2f..%2fevil"],
    ['a plain and an extended file name', '; filename="good.onnx"; filename*=UTF-8\'\'%2e%2e%2fevil'],
    ['an extended file name of an unknown charset', "; filename*=x-nobody''%ff%fe"],
    ['an extended file name that is broken', "; filename*=UTF-8'%"],
    ['a continued file name', '; filename*0="../"; filename*1="evil"'],
    ['a file name with a NUL', '; filename="a\0b"'],
    ['a file name that is not closed', '; filename="m'],
    ['an empty file name', '; filename=""'],
  ])('reads or refuses a file with %s, and hands over one', async (_what, parameters) => {
    const seen = await send([file(parameters), END]);
    expect(['read', 'MALFORMED_MULTIPART']).toContain(seen.code);
    expect(seen.files.length).toBeLessThanOrEqual(1);
    expect(seen.contents.every((content) => content === 'model')).toBe(true);
  });

  it('reads a field after the file', async () => {
    expect(await send([file('; filename="m"', 'x'.repeat(MiB)), field('name', 'iris'), END])).toMatchObject({
      code: 'read',
      fields: { name: 'iris' },
    });
  });

  it('keeps a field called "__proto__" to itself', async () => {
    expect((await send([field('__proto__', 'x'), END])).code).toBe('read');
    expect(({} as { x?: unknown }).x).toBeUndefined();
  });

  it('leaves nothing of 200 bodies that are cut', async () => {
    for (let round = 0; round < 200; round++) {
      const at = round * 7;
      const bytes = Buffer.concat([field('name', 'iris'), file('; filename="m"', 'x'.repeat(1200))]).subarray(0, at);
      expect((await send([bytes], { missing: 10_000, cut: true })).code).toBe('BODY_ABORTED');
    }
  });
});
