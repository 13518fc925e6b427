import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { buffer } from 'node:stream/consumers';
import type { IncomingMessage } from 'node:http';

/** An answer as it came over the wire: nothing is unpacked. */
export interface WireAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

const agent = new Agent({ keepAlive: true, maxSockets: 8 });

/** Lets the process end. */
export function hangUp(): void {
  agent.destroy();
}

/** Sends a body with these headers and no others but its length. */
export async function post(
  url: string,
  body: Buffer | string,
  headers: Readonly<Record<string, string | string[]>> = {},
): Promise<WireAnswer> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const call = request(url, { method: 'POST', agent, headers: { 'Content-Length': Buffer.byteLength(body), ...headers } });
    call.once('response', resolve).once('error', reject).end(body);
  });
  return { status: answer.statusCode as number, headers: answer.headers, body: await buffer(answer) };
}
