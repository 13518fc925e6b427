import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { type Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import { json } from 'node:stream/consumers';
import type { ServerProcess } from '../process/server-process';
import type { Chance } from './power-cut-random';

const BOUNDARY = 'the-end-of-a-part';
const CHUNK_BYTES = 64 * 2 ** 10;
const ANSWER_MS = 120_000;

/** What a server answered to an upload. */
export interface UploadAnswer {
  readonly status: number | undefined;
  // the specs say what they expect of it
  readonly body: any; // oxlint-disable-line typescript/no-explicit-any
}

/** The form of an upload: what stands before the bytes of the file, and after them. */
function formAround(name: string): { readonly head: Buffer; readonly tail: Buffer } {
  const part = (header: string): string => `--${BOUNDARY}\r\nContent-Disposition: form-data; ${header}\r\n\r\n`;
  const head = `${part('name="name"')}${name}\r\n${part('name="file"; filename="model.onnx"')}`;
  return { head: Buffer.from(head), tail: Buffer.from(`\r\n--${BOUNDARY}--`) };
}

/** Uploads a file that is nowhere whole: the same piece of bytes again and again, until it is answered. */
export async function uploadLong(server: ServerProcess, name: string, bytes: number): Promise<UploadAnswer> {
  const { head, tail } = formAround(name);
  const piece = Buffer.alloc(CHUNK_BYTES, 'no model, but long. ');
  const upload = begin(server, head.length + bytes + tail.length);
  const answered = new AbortController();
  const answer = answerTo(upload).finally(() => answered.abort());
  upload.write(head);
  for (let left = bytes; left > 0 && !answered.signal.aborted; left -= piece.length) {
    if (!upload.write(piece.subarray(0, left))) await once(upload, 'drain', { signal: answered.signal }).catch(() => {});
  }
  if (answered.signal.aborted) upload.destroy();
  else upload.end(tail);
  return answer;
}

/** Uploads a file in one piece over a connection of the agent's. */
export function uploadWhole(server: ServerProcess, name: string, file: Buffer, agent: Agent): Promise<UploadAnswer> {
  const { head, tail } = formAround(name);
  const body = Buffer.concat([head, file, tail]);
  const upload = begin(server, body.length, agent);
  upload.end(body);
  return answerTo(upload);
}

/** Asks whether the server lives, over a connection of the agent's. */
export function askOver(server: ServerProcess, agent: Agent): Promise<UploadAnswer> {
  const question = request(`${server.origin}/health/live`, { agent, signal: AbortSignal.timeout(ANSWER_MS) });
  question.end();
  return answerTo(question);
}

/**
 * Begins uploads of a model, and cuts the connection of each after a random number of bytes of the body, from the first to the last but
 * one: each time a server might have the whole file, and has never the whole form.
 */
export async function abortUploads(server: ServerProcess, name: string, model: Buffer, chance: Chance, times: number): Promise<void> {
  const { head, tail } = formAround(name);
  const body = Buffer.concat([head, model, tail]);
  for (let time = 0; time < times; time++) {
    const after = time % 4 === 0 ? body.length - chance.whole(1, tail.length) : chance.whole(1, body.length - 1);
    const upload = begin(server, body.length);
    upload.on('error', () => {}); // it is cut
    await new Promise<void>((sent) => void upload.write(body.subarray(0, after), () => sent()));
    upload.destroy();
    await new Promise((closed) => upload.once('close', closed));
  }
}

function begin(server: ServerProcess, length: number, agent: Agent | false = false): ClientRequest {
  const headers = { 'Content-Type': `multipart/form-data; boundary=${BOUNDARY}`, 'Content-Length': length };
  return request(`${server.origin}/api/v1/models`, { method: 'POST', headers, agent, signal: AbortSignal.timeout(ANSWER_MS) });
}

async function answerTo(upload: ClientRequest): Promise<UploadAnswer> {
  const [response] = (await once(upload, 'response')) as [IncomingMessage];
  return { status: response.statusCode, body: await json(response) };
}

/** What a process has in memory while it works, in bytes; Linux only. */
export class MemoryWatch {
  private readonly before: number;

  /** Begins here: what it had at most before does not count. */
  constructor(private readonly pid: number) {
    writeFileSync(`/proc/${pid}/clear_refs`, '5'); // proc(5): the peak becomes what there is now
    this.before = this.figure('VmRSS');
  }

  /** The most that it has had since the beginning, above what it had then. */
  get growth(): number {
    return this.figure('VmHWM') - this.before;
  }

  private figure(name: string): number {
    const [, kibibytes] = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${this.pid}/status`, 'utf8')) ?? [];
    return Number(kibibytes) * 1024;
  }
}
