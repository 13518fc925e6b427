import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RegistryEvent } from '../../src/models/registry/registry-event';
import { linear } from '../onnx/models';
import type { ServerProcess } from '../process/server-process';
import type { Chance } from './power-cut-random';

const MODEL = 'cut';
/** How often a request is cut. */
export const MIN_CUTS = 2;
const MAX_CUTS = 3;
const BUSY_MS = 100;
const MAX_DELAY_MS = 60;

/** What a client was told at last. */
export interface LastAnswer {
  readonly status: number | undefined;
  readonly version: number;
}

/** A client that loses answers: it cuts its connection, twice at least, and asks the same again until it hears the answer. */
export class LosingClient {
  cuts = 0;

  constructor(
    readonly server: ServerProcess,
    private readonly chance: Chance,
  ) {}

  /** Uploads a model that differs from all others by its number. */
  async upload(number: number, fields: Readonly<Record<string, string>>, key?: string): Promise<LastAnswer> {
    const form = new FormData();
    for (const [name, value] of Object.entries({ name: MODEL, ...fields })) form.set(name, value);
    form.set('file', new Blob([Uint8Array.from(linear([[number]]))]), 'model.onnx');
    const encoded = new Response(form); // once: each has a boundary of its own
    const type = encoded.headers.get('content-type') as string;
    return this.insist('/api/v1/models', type, Buffer.from(await encoded.arrayBuffer()), key);
  }

  rollback(key: string): Promise<LastAnswer> {
    return this.insist(`/api/v1/models/${MODEL}/rollback`, 'application/json', Buffer.from('{}'), key);
  }

  private async insist(path: string, type: string, body: Buffer, key?: string): Promise<LastAnswer> {
    const ask = (): ClientRequest => {
      const headers = { 'Content-Type': type, 'Content-Length': body.length, ...(key !== undefined && { 'Idempotency-Key': key }) };
      return request(this.server.origin + path, { method: 'POST', headers, agent: false });
    };
    for (let left = this.chance.whole(MIN_CUTS, MAX_CUTS); left > 0; left--) await this.lose(ask(), body);
    for (;;) {
      const asked = ask();
      asked.end(body);
      const [answer] = (await once(asked, 'response')) as [IncomingMessage];
      const { version } = (await json(answer)) as { readonly version: number };
      if (answer.statusCode !== 429) return { status: answer.statusCode, version };
      await sleep(BUSY_MS); // what was cut is still being worked on, and counts
    }
  }

  /** Cuts while the body is sent, at any time after it, or when the answer begins: what the server has done by then nobody hears. */
  private async lose(asked: ClientRequest, body: Buffer): Promise<void> {
    asked.on('error', () => {}); // its own cut
    const answered = once(asked, 'response').catch(() => {});
    const half = this.chance.whole(0, 9) === 0;
    asked.write(half ? body.subarray(0, body.length / 2) : body);
    if (this.chance.whole(0, 2) === 0 && !half) await answered;
    else await Promise.race([answered, sleep(this.chance.whole(0, MAX_DELAY_MS))]);
    asked.destroy();
    this.cuts++;
  }
}

/** What happened in a registry, in its order, read from its files. */
export function eventsIn({ modelsDir }: ServerProcess): readonly RegistryEvent[] {
  const folder = join(modelsDir, 'log');
  return readdirSync(folder).sort().map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as RegistryEvent); // prettier-ignore
}
