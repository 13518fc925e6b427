import { hash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** A new key: its text, which is shown once and kept nowhere, and what is kept of it. */
export interface MintedKey {
  readonly text: string;
  /** Public: 8 characters by which the key is found and named. */
  readonly id: string;
  /** Of the secret, 64 hex digits. */
  readonly sha256: string;
}

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const ENVIRONMENT = 'live';
const FORMAT = /^aapi_[a-z0-9]{1,12}_([0-9A-Za-z]{8})_([0-9A-Za-z]{43})_([0-9A-Za-z]{6})$/;
const MAX_LENGTH = 5 + 12 + 1 + 8 + 1 + 43 + 1 + 6;

/** Makes a key `aapi_<env>_<id 8>_<secret of 32 bytes, base 62>_<crc32 6>`. */
export function mintKey(): MintedKey {
  const id = base62(randomBytes(8), 8).slice(-8);
  const secret = base62(randomBytes(32), 43);
  return { text: keyText(id, secret), id, sha256: sha256(secret) };
}

/** The text of a key of these parts. */
export function keyText(id: string, secret: string): string {
  const body = `aapi_${ENVIRONMENT}_${id}_${secret}`;
  return `${body}_${checksum(body)}`;
}

/** Takes a text apart that may be a key of ours. @returns undefined where its form or its checksum is wrong: no file need be asked then */
export function readKey(text: string): { readonly id: string; readonly secret: string } | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const [, id, secret, crc] = FORMAT.exec(text) ?? [];
  if (id === undefined || secret === undefined || crc !== checksum(text.slice(0, -7))) return undefined;
  return { id, secret };
}

/** 64 hex digits. A secret has 256 random bits: nothing slower than one hash is needed to keep it. */
export function sha256(text: string): string {
  return hash('sha256', text);
}

function checksum(body: string): string {
  let rest = crc32(body);
  let digits = '';
  for (let at = 0; at < 6; at++) {
    digits = DIGITS.charAt(rest % 62) + digits;
    rest = Math.floor(rest / 62);
  }
  return digits;
}

function base62(bytes: Buffer, length: number): string {
  let rest = BigInt(`0x${bytes.toString('hex')}`);
  let digits = '';
  for (; rest > 0n; rest /= 62n) digits = DIGITS.charAt(Number(rest % 62n)) + digits;
  return digits.padStart(length, '0');
}
