import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { Busboy, type BusboyHeaders, type BusboyInstance } from '@fastify/busboy';
import { askForBody } from './expectation';
import { refuseEncoding } from './read-body';
import { contentTypeOf } from './read-json';
import { watchBody } from './slow-bodies';
import { BodyAborted, MalformedMultipart, UnsupportedMediaType } from './wire.errors';

/** One file of a form, while it arrives. */
export interface FormFile {
  readonly filename: string;
  readonly content: Readable;
}

/** How many parts a form may have, and how long its fields may be. */
export interface FormLimits {
  readonly maxFiles: number;
  readonly maxFields: number;
  readonly maxFieldBytes: number;
  /** Within how many seconds some of it must come, at 1 KiB a second. */
  readonly bodySeconds: number;
}

const MIN_BYTES_PER_SECOND = 1024;

/**
 * Reads a form: its fields are returned, each of its parts called `file` is handed to `takeFile` while it arrives. When this
 * settles, every `takeFile` has settled, however it ended.
 * @returns the fields by name; a part is a field although it carries a file name, so that `-F metadata=@file` works
 * @throws UnsupportedMediaType, MalformedMultipart, BodyAborted, BodyTooSlow; the error of `takeFile`, unchanged
 */
export async function readMultipart(
  request: IncomingMessage,
  limits: FormLimits,
  takeFile: (file: FormFile) => Promise<void>,
): Promise<ReadonlyMap<string, string>> {
  const parser = openParser(request, limits);
  const taken: Promise<void>[] = [];
  try {
    return await readParts(request, parser, taken, takeFile, limits);
  } finally {
    await Promise.allSettled(taken);
  }
}

function openParser(request: IncomingMessage, limits: FormLimits): BusboyInstance {
  refuseEncoding(request);
  const type = contentTypeOf(request);
  if (!/^multipart\/form-data *;/i.test(type)) throw new UnsupportedMediaType('Content-Type', 'multipart/form-data', type);
  const options = {
    headers: request.headers as BusboyHeaders,
    isPartAFile: (field: string | undefined) => field === 'file',
    preservePath: true, // a name with a path in it is refused, not mended
    limits: {
      files: limits.maxFiles,
      fields: limits.maxFields,
      fieldSize: limits.maxFieldBytes,
      parts: limits.maxFiles + limits.maxFields, // parts without a name are neither
      headerPairs: 20,
      headerSize: 8192,
    },
  };
  try {
    return new Busboy(options);
  } catch (cause) {
    throw new MalformedMultipart((cause as Error).message, { cause });
  }
}

function readParts(
  request: IncomingMessage,
  parser: BusboyInstance,
  taken: Promise<void>[],
  takeFile: (file: FormFile) => Promise<void>,
  { bodySeconds }: FormLimits,
): Promise<ReadonlyMap<string, string>> {
  return new Promise((resolve, reject) => {
    const fields = new Map<string, string>();
    let open: Readable | undefined;
    let failed = false;
    const pace = { maxMs: bodySeconds * 1000, minBytesPerSecond: MIN_BYTES_PER_SECOND };
    const watchEnds = watchBody(request, pace, (error) => fail(error));
    request.once('end', watchEnds);
    const fail = (error: unknown): void => {
      watchEnds();
      failed = true;
      request.unpipe(parser);
      open?.destroy(error as Error);
      reject(error);
    };
    const refuse = (reason: string) => (): void => fail(new MalformedMultipart(reason));

    parser.on('field', (name: string | undefined, value, _nameTruncated, truncated) => {
      if (!name) fail(new MalformedMultipart('a field has no name'));
      else if (truncated) fail(new MalformedMultipart(`the field ${name} is too long`));
      else if (value.includes('\uFFFD')) fail(new MalformedMultipart(`the field ${name} is not UTF-8`));
      else if (fields.has(name)) fail(new MalformedMultipart(`the field ${name} comes twice`));
      else fields.set(name, value);
    });
    parser.on('file', (_field, content, filename: string | undefined) => {
      content.on('error', () => {}); // told to takeFile, who reads it
      if (failed) return void content.resume(); // the rest of a chunk is parsed all the same
      open = content;
      taken.push(takeFile({ filename: filename ?? '', content }).catch(fail));
    });
    parser.on('filesLimit', refuse('it has too many files'));
    parser.on('fieldsLimit', refuse('it has too many fields'));
    parser.on('partsLimit', refuse('it has too many parts'));
    parser.on('error', (error) => fail(new MalformedMultipart((error as Error).message, { cause: error })));
    parser.on('finish', () => void Promise.all(taken).then(() => resolve(fields)));
    request.on('error', (cause) => fail(new BodyAborted({ cause })));
    askForBody(request);
    request.pipe(parser);
  });
}
