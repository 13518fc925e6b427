import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { hasCode } from '../errors/has-code';
import { HeadersTooLarge, HeadersTooSlow, MalformedRequest } from './http.errors';
import { newCorrelationId } from '../logging/request-record';
import { PROBLEM_TYPE, problemOf, STATUS } from './problem';

/**
 * Answers what Node's parser could not make a request of, in the form of every other error, and ends the connection: nobody knows where the next
 * request would begin.
 * @param tell is told the code of what is answered, if anything is
 */
export function answerUnreadable(error: Error & { readonly rawPacket?: Buffer }, socket: Duplex, tell: (code: string) => void): void {
  if (!socket.writable || isAnswered(socket) || hasCode(error, 'ECONNRESET', 'EPIPE')) return void socket.destroy();
  const refusal = refusalOf(error);
  tell(refusal.code);
  const correlationId = newCorrelationId();
  const body = JSON.stringify(problemOf(refusal, correlationId));
  const status = STATUS[refusal.kind];
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `Content-Type: ${PROBLEM_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-Correlation-Id: ${correlationId}`,
    'X-Content-Type-Options: nosniff',
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${isHead(error.rawPacket) ? '' : body}`);
}

/** An answer to HEAD has no body, also where the rest of the request could not be read. */
function isHead(packet: Buffer | undefined): boolean {
  return packet?.subarray(0, 5).toString('latin1') === 'HEAD ';
}

/** Whether an answer is under way already, to what could be read of the request; as Node itself looks for it. */
function isAnswered(socket: Duplex): boolean {
  return (socket as { readonly _httpMessage?: { readonly headersSent: boolean } })._httpMessage?.headersSent === true;
}

function refusalOf(cause: Error): HeadersTooLarge | HeadersTooSlow | MalformedRequest {
  if (hasCode(cause, 'HPE_HEADER_OVERFLOW')) return new HeadersTooLarge({ cause });
  if (hasCode(cause, 'ERR_HTTP_REQUEST_TIMEOUT')) return new HeadersTooSlow({ cause });
  return new MalformedRequest({ cause });
}
