import { Agent, type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { buffer } from 'node:stream/consumers';

/** An answer, and how long it took. */
export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  /** From the call to the last byte, milliseconds. */
  readonly ms: number;
}

/** A call on its way. */
export interface Sent {
  readonly reply: Promise<Reply>;
  /** Goes away before it is answered: `reply` is rejected. */
  readonly leave: () => void;
}

type Headers = Readonly<Record<string, string>>;

/** Someone who asks, over as many connections as it takes; each stays open for the next call. */
export class Caller {
  private readonly agent = new Agent({ keepAlive: true });

  /** @param headers of every call @param localAddress another one of loopback is another caller, where calls need no key */
  constructor(
    private readonly origin: string,
    private readonly headers: Headers = {},
    private readonly localAddress = '127.0.0.1',
  ) {}

  /** Sends at once: two calls of one turn of the event loop leave in one turn. */
  send(path: string, body?: Buffer | object, headers: Headers = {}): Sent {
    const sentAt = performance.now();
    const bytes = body === undefined || Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
    const method = bytes === undefined ? 'GET' : 'POST';
    const length = bytes === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': String(bytes.length) };
    const { agent, localAddress } = this;
    const outgoing: ClientRequest = request(this.origin + path, {
      method,
      agent,
      localAddress,
      headers: { ...length, ...this.headers, ...headers },
    });
    const reply = new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.once('response', resolve).once('error', reject).end(bytes);
    }).then(async (incoming) => {
      const read = await buffer(incoming);
      return { status: incoming.statusCode as number, headers: incoming.headers, bytes: read, ms: performance.now() - sentAt };
    });
    return { reply, leave: () => void outgoing.destroy() };
  }

  ask(path: string, body?: Buffer | object, headers: Headers = {}): Promise<Reply> {
    return this.send(path, body, headers).reply;
  }

  /** @param instance a row of the model's input */
  predict(model: string, instance: unknown, headers: Headers = {}): Promise<Reply> {
    return this.ask(`/api/v1/predict/${model}`, { instances: [instance] }, headers);
  }

  hangUp(): void {
    this.agent.destroy();
  }
}

/** What an answer says; the specs say what they expect of it. */
// oxlint-disable-next-line typescript/no-explicit-any
export function bodyOf({ bytes }: Reply): any {
  return JSON.parse(bytes.toString());
}

/** The prediction of the only row of an answer. */
export function predictionOf(reply: Reply): unknown {
  return (bodyOf(reply) as { readonly predictions?: readonly { readonly prediction: unknown }[] }).predictions?.[0]?.prediction;
}

/** The value that `share` of some numbers do not exceed. */
export function quantile(numbers: readonly number[], share: number): number {
  return numbers.toSorted((a, b) => a - b)[Math.min(numbers.length - 1, Math.ceil(numbers.length * share) - 1)] ?? Number.NaN;
}
