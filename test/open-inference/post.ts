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

/** Sends a body with these headers and no others but its length. @param path sent as it is, where the URL is not to tell it */
export async function post(
  url: string,
  body: Buffer | string,
  headers: Readonly<Record<string, string | string[]>> = {},
  path?: string,
): Promise<WireAnswer> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const all = { 'Content-Length': Buffer.byteLength(body), ...headers };
    const call = request(url, { method: 'POST', agent, headers: all, ...(path !== undefined && { path }) });
    call.once('response', resolve).once('error', reject).end(body);
  });
  return { status: answer.statusCode as number, headers: answer.headers, body: await buffer(answer) };
}
