import type { IncomingMessage } from 'node:http';
import { ApiHeader } from '@nestjs/swagger';
import { MalformedBody } from '../wire/wire.errors';

const HEADER = 'X-Request-Deadline-Ms';

/** Documents the header that `deadlineMs` reads. */
export const ApiDeadline = ApiHeader({
  name: HEADER,
  required: false,
  description: 'How long the caller waits, milliseconds; then 504, and the model is not run if it was not yet',
});

/** How long the caller of a prediction waits for it, from its first byte on; infinite where it does not say. @throws MalformedBody */
export function deadlineMs({ headers }: IncomingMessage): number {
  const text = headers['x-request-deadline-ms'];
  if (text === undefined) return Number.POSITIVE_INFINITY;
  if (typeof text === 'string' && /^[1-9][0-9]{0,8}$/.test(text)) return Number(text);
  const details = { field: HEADER, expected: 'a whole number of milliseconds from 1 on', actual: JSON.stringify(text).slice(0, 80) };
  throw new MalformedBody(`${HEADER} is no deadline`, details);
}
