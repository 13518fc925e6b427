import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import canonicalize from 'canonicalize';
import { blobPath, segmentPath } from '../../src/backup/snapshot/read-manifest';
import { digestOf } from '../../src/models/upload/manifest';
import { LOG_START } from '../../src/storage/event-log.port';
import { hashOf } from '../../src/storage/stored-event';
import { rewrite } from './backup-house';

export const FORGED = '20261123T030000Z-9-9f3e';
export const LINEAGE = '5f0c1b62-7d0d-4f6a-8d5c-2f7c2f0b9c11';
const AT = '2026-11-23T03:00:00.000Z';

/** An event, or a line of the log as it is. */
export type ForgedEvent = object | string;

/** What somebody may do with a folder of backups who has no key. */
export interface Forgery {
  readonly events: readonly ForgedEvent[];
  /** Files of models, and states. */
  readonly blobs: readonly (string | Buffer)[];
  /** Says something else of a manifest that is right. */
  readonly manifest?: (manifest: Readonly<Record<string, unknown>>) => object;
  /** The manifest's very bytes. */
  readonly bytes?: Buffer;
}

/** A version of a file, as an upload publishes it. */
export function published(content: string, more: object = {}, metadata: unknown = {}): Readonly<Record<string, unknown>> {
  const file = hashOf(content);
  const manifest = { files: [{ path: 'model.onnx', size: Buffer.byteLength(content), sha256: file }], metadata };
  const executable = digestOf({ engine: 'onnx', file, options: {} });
  const signature = { inputs: [], outputs: [] };
  const event = { kind: 'version.published', model: 'iris', version: 1, manifest, engine: 'onnx', executable, signature, ...more };
  return { ...event, digest: 'digest' in more ? more.digest : digestOf(event.manifest as Parameters<typeof digestOf>[0]) };
}

/** Puts a snapshot into `backups/`, unsigned, with every sum as it must be; the log of `backups/` says nothing of it. */
export async function forge(backups: string, { events, blobs, manifest: lie = (manifest) => manifest, bytes }: Forgery): Promise<void> {
  let previous = LOG_START.hash;
  const lines = events.map((event, at) => {
    const text = typeof event === 'string' ? event.replaceAll('PREVIOUS', previous) : lineOf(event, at + 1, previous);
    previous = hashOf(text);
    return `${text}\n`;
  });
  const log = Buffer.from(lines.join(''));
  const files = [...new Map(blobs.map((content) => [hashOf(content), Buffer.from(content)]))];
  for (const [sha256, content] of [...files, [hashOf(log), log] as const]) await rewrite(join(backups, blobPath(sha256)), content);
  const objectOf = (sha256: string, size: number): object => ({ sha256, bytes: size, stored: sha256, storedBytes: size });
  const objects = [
    ...files.map(([sha256, content]) => ({ kind: 'blob', path: blobPath(sha256), ...objectOf(sha256, content.length) })),
    {
      kind: 'events',
      path: segmentPath(1, events.length),
      ...objectOf(hashOf(log), log.length),
      first: 1,
      last: events.length,
      previous: LOG_START.hash,
      head: previous,
    },
  ].sort((a, b) => (a.path < b.path ? -1 : 1));
  const manifest = {
    format: 1,
    tool: { name: 'analytics-api', version: '0.1.0' },
    id: FORGED,
    createdAt: AT,
    trigger: 'manual',
    lineage: LINEAGE,
    seq: events.length,
    head: previous,
    objects,
  };
  await mkdir(join(backups, 'snapshots'), { recursive: true });
  await rewrite(join(backups, 'snapshots', `${FORGED}.json`), bytes ?? Buffer.from(canonicalize(lie(manifest)) as string));
}

/** What `event` says goes before what the log adds: so it can say otherwise. */
function lineOf(event: object, seq: number, previous: string): string {
  return canonicalize({ actor: 'eve', correlationId: 'c', seq, previous, at: AT, ...event }) as string;
}
