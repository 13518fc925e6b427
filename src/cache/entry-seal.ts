import { createHmac, hash, timingSafeEqual } from 'node:crypto';

/** Larger ones are remembered in memory only: Redis could not give them back in time. */
export const MAX_SEALED_BYTES = 2 ** 18;

const VERSION = 1;
const KEY_AT = 1;
const STORED_AT = 17;
const EXPIRES_AT = 25;
const VALUE_AT = 33;
const CHECK_BYTES = 16;

/** Why an entry is not believed. `version`: another release wrote it. */
export type BadEntryReason = 'form' | 'version' | 'check' | 'key' | 'value';

/** What stands in Redis is not what one of us wrote there. */
export class BadEntry extends Error {
  constructor(readonly reason: BadEntryReason) {
    super(`a bad entry: ${reason}`);
  }
}

/** A value with what has to be known of it besides. */
export interface Entry {
  readonly value: Uint8Array;
  /** `Date.now()` of the server that stored it. */
  readonly storedAt: number;
  readonly expires: number;
}

/**
 * Entries as text for Redis, in base64: version (1 byte), hash of the key (16), times (2 x 8), value, and a check sum of all of it (16), which is
 * a signature where there is a secret.
 */
export class EntrySeal {
  constructor(private readonly secret: string) {}

  /** @returns undefined where it is too large */
  seal(key: string, { value, storedAt, expires }: Entry): string | undefined {
    const size = VALUE_AT + value.length + CHECK_BYTES;
    if (size > MAX_SEALED_BYTES) return undefined;
    const bytes = Buffer.allocUnsafe(size);
    bytes[0] = VERSION;
    bytes.set(this.nameOf(key), KEY_AT);
    bytes.writeDoubleLE(storedAt, STORED_AT);
    bytes.writeDoubleLE(expires, EXPIRES_AT);
    bytes.set(value, VALUE_AT);
    bytes.set(this.checkOf(bytes.subarray(0, -CHECK_BYTES)), size - CHECK_BYTES);
    return bytes.toString('base64');
  }

  /**
   * @param sealed whatever stood in Redis
   * @throws BadEntry where it is not what `seal` made for this very key
   */
  open(key: string, sealed: unknown): Entry {
    if (typeof sealed !== 'string') throw new BadEntry('form');
    const bytes = Buffer.from(sealed, 'base64');
    if (bytes.length < VALUE_AT + CHECK_BYTES) throw new BadEntry('form');
    if (bytes[0] !== VERSION) throw new BadEntry('version');
    const checked = bytes.subarray(0, -CHECK_BYTES);
    if (!timingSafeEqual(this.checkOf(checked), bytes.subarray(-CHECK_BYTES))) throw new BadEntry('check');
    if (!this.nameOf(key).equals(bytes.subarray(KEY_AT, STORED_AT))) throw new BadEntry('key');
    return { value: checked.subarray(VALUE_AT), storedAt: bytes.readDoubleLE(STORED_AT), expires: bytes.readDoubleLE(EXPIRES_AT) };
  }

  private nameOf(key: string): Buffer {
    return hash('sha256', key, 'buffer').subarray(0, STORED_AT - KEY_AT);
  }

  private checkOf(bytes: Uint8Array): Buffer {
    const digest = this.secret === '' ? hash('sha256', bytes, 'buffer') : createHmac('sha256', this.secret).update(bytes).digest();
    return digest.subarray(0, CHECK_BYTES);
  }
}
