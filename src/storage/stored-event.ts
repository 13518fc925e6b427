import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { EventFields, LogEntry, LogPosition, StoredEvent } from './event-log.port';
import { LogDamaged } from './storage.errors';

/** The next event as it is stored: canonical JSON (RFC 8785), UTF-8. */
export function sealEvent(after: LogPosition, fields: EventFields, now: Date): { readonly bytes: Buffer; readonly entry: LogEntry } {
  const clock = now.toISOString();
  const at = clock > after.at ? clock : after.at;
  const event: StoredEvent = { ...fields, seq: after.seq + 1, previous: after.hash, at };
  const bytes = Buffer.from(canonicalize(event) as string);
  return { bytes, entry: { event, position: { seq: event.seq, hash: hashOf(bytes), at } } };
}

/** Reads a stored event back. @throws LogDamaged where it is no event, or not the one that belongs after `after` */
export function openEvent(after: LogPosition, bytes: Buffer): LogEntry {
  const seq = after.seq + 1;
  const event = parseEvent(seq, bytes);
  if (event.previous !== after.hash) throw new LogDamaged(seq, 'it is not chained to the event before it');
  if (!(event.at >= after.at)) throw new LogDamaged(seq, `its time ${event.at} lies before the event before it`);
  return { event, position: { seq, hash: hashOf(bytes), at: event.at } };
}

/** Reads a stored event by itself. @throws LogDamaged where it is no event, or not that one */
export function parseEvent(seq: number, bytes: Buffer): StoredEvent {
  const event = parse(bytes, seq);
  if (event.seq !== seq) throw new LogDamaged(seq, `it says that it is event ${event.seq}`);
  return event;
}

function parse(bytes: Buffer, seq: number): StoredEvent {
  try {
    const value: unknown = JSON.parse(bytes.toString());
    if (typeof value === 'object' && value !== null && 'kind' in value) return value as StoredEvent;
  } catch (error) {
    throw new LogDamaged(seq, 'it is no JSON', { cause: error });
  }
  throw new LogDamaged(seq, 'it is no event');
}

/** SHA-256, 64 hex digits. */
export function hashOf(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}
