import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { BackupKeyRefused } from './snapshot.errors';

const LEAST_BYTES = 32;
const MOST_BYTES = 65_536;
const OTHERS = 0o077;
/** A name, not a secret: says which key it was. */
const ID_DIGITS = 16;

/** The keys that are made of the key file: one signs, one encrypts. */
export class BackupKey {
  private readonly signing: Buffer;
  private readonly encrypting: Buffer;
  /** Tells this key from others, and nothing of the key. */
  readonly id: string;

  /** @param material what the file holds */
  constructor(material: Buffer) {
    this.signing = derive(material, 'sign');
    this.encrypting = derive(material, 'encrypt');
    this.id = derive(material, 'id').toString('hex').slice(0, ID_DIGITS);
  }

  /** HMAC-SHA-256, 64 hex digits. */
  sign(bytes: Uint8Array): string {
    return createHmac('sha256', this.signing).update(bytes).digest('hex');
  }

  /** Whether that is what this key signs it with; takes as long for every wrong answer. */
  signed(bytes: Uint8Array, hmac: string): boolean {
    const is = Buffer.from(hmac, 'hex');
    const should = Buffer.from(this.sign(bytes), 'hex');
    return is.length === should.length && timingSafeEqual(is, should);
  }

  /** A key of its own for each object: a nonce is never used twice under one, however many objects there are. */
  objectKey(salt: Uint8Array): Buffer {
    return Buffer.from(hkdfSync('sha256', this.encrypting, salt, 'analytics-api backup object', 32));
  }
}

/** @throws BackupKeyRefused where it is no file, too short, or others may read it */
export async function readBackupKey(path: string): Promise<BackupKey> {
  return new BackupKey(materialOf(path, await bytesOf(path)));
}

async function bytesOf(path: string): Promise<Buffer> {
  try {
    // a pipe that nobody writes to would be waited for, for ever
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const found = await file.stat();
      if (!found.isFile()) throw new BackupKeyRefused(path, 'it is no file');
      if ((found.mode & OTHERS) !== 0) throw new BackupKeyRefused(path, `others may read it: chmod 600 ${path}`);
      if (found.size > MOST_BYTES) throw new BackupKeyRefused(path, `it has more than ${MOST_BYTES} bytes`);
      return await file.readFile();
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof BackupKeyRefused) throw cause;
    throw new BackupKeyRefused(path, `it cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/** Of a text only the text: whoever types it from paper ends the line or not. */
function materialOf(path: string, bytes: Buffer): Buffer {
  const text = bytes.toString('latin1');
  const material = /^[\x20-\x7e\r\n\t]*$/.test(text) ? Buffer.from(text.trim(), 'latin1') : bytes;
  if (material.length < LEAST_BYTES) {
    throw new BackupKeyRefused(path, `it has ${material.length} bytes, fewer than ${LEAST_BYTES}: openssl rand -hex 32 > ${path}`);
  }
  return material;
}

function derive(material: Buffer, purpose: 'sign' | 'encrypt' | 'id'): Buffer {
  return Buffer.from(hkdfSync('sha256', material, '', `analytics-api backup ${purpose}`, 32));
}
