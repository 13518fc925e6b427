import type { AppError, ErrorKind } from '../errors/app-error';
import { PROBLEM_TYPE, problemOf, STATUS } from './problem';

/** An error as it is sent. */
export interface ErrorAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: object;
}

const OPEN_INFERENCE = /^\/v2(\/|$)/i;
const TENSORFLOW_SERVING = /^\/v1(\/|$)/i;
const BAD_REQUEST = 400;
const MEMBER = /[.[]/;
const LONG = 8;

/**
 * An error in the words of the dialect that was spoken. A problem (RFC 9457); or `{"error": …}` as the Open Inference Protocol and
 * TensorFlow Serving have it, with our members beside it.
 * @param path of the request, which tells the dialect
 */
export function errorAnswerOf(error: AppError, path: string, correlationId: string): ErrorAnswer {
  const problem = problemOf(error, correlationId);
  const tensorflow = TENSORFLOW_SERVING.test(path);
  if (!tensorflow && !OPEN_INFERENCE.test(path)) return { status: STATUS[error.kind], contentType: PROBLEM_TYPE, body: problem };
  const status = foreignStatus(error, tensorflow);
  const { type: _type, title: _title, detail: _detail, ...ours } = problem as Record<string, unknown>;
  return {
    status,
    contentType: 'application/json',
    body: { error: tensorflow ? tensorflowSentence(error) : sentenceOf(error), ...ours, status },
  };
}

/** These dialects know no 422. TensorFlow Serving answers 400 to a path that it does not know, and to an unknown label. */
function foreignStatus({ kind, code }: { readonly kind: ErrorKind; readonly code: string }, tensorflow: boolean): number {
  if (kind === 'invalid') return BAD_REQUEST;
  return tensorflow && (code === 'ROUTE_NOT_FOUND' || code === 'ALIAS_NOT_FOUND') ? BAD_REQUEST : STATUS[kind];
}

/** Of a path that is none, as TensorFlow Serving says it. */
function tensorflowSentence(error: AppError): string {
  return error.code === 'ROUTE_NOT_FOUND' ? `Malformed request: ${error.details.actual}` : sentenceOf(error);
}

/** Clients of these dialects show one text: what was wanted and what came are part of it, and which member of the body it is about. */
function sentenceOf({ message, details: { field, expected, actual } }: AppError): string {
  const where = field !== undefined && MEMBER.test(field) && !message.includes(field) ? ` (${field})` : '';
  const told = [
    ...(expected === undefined ? [] : [`expected ${expected}`]),
    ...(actual === undefined || tells(message, actual) ? [] : [`got ${actual}`]),
  ];
  return told.length === 0 ? message + where : `${message}${where}: ${told.join(', ')}`;
}

/** A short value may stand in a sentence by chance. */
function tells(message: string, actual: string): boolean {
  return message.includes(`"${actual}"`) || (actual.length >= LONG && message.includes(actual));
}
