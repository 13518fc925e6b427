import { EngineError } from '../engine-model';

const MAX_REASON = 1000;

/** The library's own word for why a model or an input was no good. */
export class TfjsError extends EngineError {}

/** Does work of the library, whose errors are of many kinds. @throws TfjsError; an EngineError as it is */
export async function tfjs<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof EngineError) throw cause;
    throw new TfjsError(reasonOf(cause), { cause });
  }
}

/** What tells of this machine's folders is cut out. */
function reasonOf(cause: unknown): string {
  const message = cause instanceof Error || (typeof cause === 'object' && cause !== null && 'message' in cause) ? String(cause.message) : String(cause); // prettier-ignore
  return message
    .replaceAll(/(?<![\w.])(\/[\w.-]+)+\/(?=[\w.-]+)/g, '')
    .replaceAll(/\s+/g, ' ')
    .trim()
    .slice(0, MAX_REASON);
}
