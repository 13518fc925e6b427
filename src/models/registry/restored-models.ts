import { buffer } from 'node:stream/consumers';
import { hasCode } from '../../errors/has-code';
import type { BlobStore } from '../../storage/blob-store.port';
import type { StoredEvent } from '../../storage/event-log.port';
import { LogDamaged } from '../../storage/storage.errors';
import { hashOf } from '../../storage/stored-event';
import type { RegistryRestored } from './registry-event';
import type { ModelRecord } from './registry-records';
import { modelFrom, type PlainModel, plainModel } from './registry-snapshot';

/** What a `registry.restored` makes of models. Those that it does not name stay as they are. */
export type RestoredModels = readonly ModelRecord[];

/** As a blob. */
export function formatRestored(models: RestoredModels): Buffer {
  return Buffer.from(JSON.stringify({ models: models.map((model) => plainModel(model)) }));
}

/**
 * The models that an event restores, before it is folded in.
 * @param name what the blob with this digest is called
 * @returns undefined where the event is none that names a state @throws LogDamaged where the state is not there, or is not what it was
 */
export async function restoredBy(
  event: StoredEvent,
  blobs: Pick<BlobStore, 'open'>,
  name: (digest: string) => string,
): Promise<RestoredModels | undefined> {
  const { kind, state } = event as StoredEvent & Partial<RegistryRestored>;
  if (kind !== 'registry.restored' || typeof state !== 'string') return undefined;
  try {
    const bytes = await buffer(await blobs.open(name(state)));
    if (hashOf(bytes) === state) return parseRestored(bytes, event.seq);
  } catch (error) {
    if (!hasCode(error, 'BLOB_MISSING', 'EIO', 'EBADMSG', 'EUCLEAN')) throw error;
    throw new LogDamaged(event.seq, `the state that it restores, the blob ${state}, cannot be read`, { cause: error });
  }
  throw new LogDamaged(event.seq, `the state that it restores, the blob ${state}, is damaged`);
}

function parseRestored(bytes: Buffer, seq: number): RestoredModels {
  try {
    const { models } = JSON.parse(bytes.toString()) as { readonly models: readonly PlainModel[] };
    return models.map((model) => modelFrom(model));
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof SyntaxError)) throw error;
    throw new LogDamaged(seq, 'what it restores is no state of models', { cause: error });
  }
}
