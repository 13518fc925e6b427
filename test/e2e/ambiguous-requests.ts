import { HOST, message } from './raw-socket';

/** What comes after the body as one reader sees it, and is a request as another does. */
const SMUGGLED = message(['GET /smuggled HTTP/1.1', HOST]);
const POST = 'POST /api/v1/predict/line HTTP/1.1';
const chunkedThen = (rest: string) => `0\r\n\r\n${rest}`;
const length = `Content-Length: ${SMUGGLED.length}`;

/** Requests that two readers may take in two ways (SEC-27): what is ambiguous, lines, and what follows them. */
export const AMBIGUOUS: readonly (readonly [string, readonly string[], string])[] = [
  ['a length and chunks', [POST, HOST, length, 'Transfer-Encoding: chunked'], chunkedThen(SMUGGLED)],
  ['chunks and a length', [POST, HOST, 'Transfer-Encoding: chunked', 'Content-Length: 4'], chunkedThen(SMUGGLED)],
  ['two different lengths', [POST, HOST, 'Content-Length: 0', length], SMUGGLED],
  ['one length twice', [POST, HOST, length, length], SMUGGLED],
  ['two lengths in a list', [POST, HOST, `Content-Length: 0, ${SMUGGLED.length}`], SMUGGLED],
  ['a length with a plus', [POST, HOST, `Content-Length: +${SMUGGLED.length}`], SMUGGLED],
  ['a negative length', [POST, HOST, 'Content-Length: -1'], SMUGGLED],
  ['a length in hexadecimal', [POST, HOST, 'Content-Length: 0x10'], SMUGGLED],
  ['an empty length', [POST, HOST, 'Content-Length:'], SMUGGLED],
  ['a space before the colon', [POST, HOST, `Content-Length : ${SMUGGLED.length}`], SMUGGLED],
  ['a folded header', [POST, HOST, 'X-Folded: a', ` Content-Length: ${SMUGGLED.length}`], SMUGGLED],
  ['an unknown coding', [POST, HOST, 'Transfer-Encoding: xchunked'], chunkedThen(SMUGGLED)],
  ['chunks that are not the last coding', [POST, HOST, 'Transfer-Encoding: chunked, identity'], chunkedThen(SMUGGLED)],
  ['a coding before the chunks', [POST, HOST, 'Transfer-Encoding: gzip, chunked'], chunkedThen(SMUGGLED)],
  ['two codings', [POST, HOST, 'Transfer-Encoding: chunked', 'Transfer-Encoding: identity'], chunkedThen(SMUGGLED)],
  ['a coding with a control character', [POST, HOST, 'Transfer-Encoding: \u000bchunked'], chunkedThen(SMUGGLED)],
  ['a chunk of a size that is none', [POST, HOST, 'Transfer-Encoding: chunked'], `0x1\r\na\r\n${chunkedThen(SMUGGLED)}`],
  ['a chunk of a size beyond all numbers', [POST, HOST, 'Transfer-Encoding: chunked'], `fffffffffffffffff\r\n${SMUGGLED}`],
  ['a header without a name', [POST, HOST, ': nothing', length], SMUGGLED],
  ['a header name with a space', [POST, HOST, 'Content Length: 0'], SMUGGLED],
];
