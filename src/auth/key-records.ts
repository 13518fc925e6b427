import { Type } from 'class-transformer';
import { ArrayNotEmpty, Equals, IsArray, IsIn, IsISO8601, Matches, ValidateNested } from 'class-validator';
import { AppError } from '../errors/app-error';
import { checked } from '../wire/checked';
import { MayBeAbsent } from '../wire/may-be-absent.decorator';
import { parseJson } from '../wire/strict-json';
import { KeyFileDamaged } from './auth.errors';
import { type Scope, SCOPES } from './scope.decorator';

/** What people call a key. */
export const KEY_NAME = /^[A-Za-z0-9]([A-Za-z0-9._@-]{0,62}[A-Za-z0-9])?$/;

/** The model of a key: a name as it is, or the beginning of names followed by `*`. */
export const MODEL_PATTERN = /^(\*|[a-z0-9][a-z0-9._-]{0,63}\*?)$/;

/** What a key can be given. */
export const GRANTS = [...SCOPES, 'admin'] as const;

/** What is kept of a key. Times are ISO 8601. */
export class KeyRecord {
  @Matches(/^[0-9A-Za-z]{8}$/)
  readonly id!: string;

  @Matches(KEY_NAME)
  readonly name!: string;

  /** Of the secret, never of the whole key. */
  @Matches(/^[0-9a-f]{64}$/)
  readonly sha256!: string;

  @ArrayNotEmpty()
  @IsIn(GRANTS, { each: true })
  readonly scopes!: readonly (Scope | 'admin')[];

  /** Empty: every model. */
  @IsArray()
  @Matches(MODEL_PATTERN, { each: true })
  readonly models!: readonly string[];

  @IsISO8601({ strict: true })
  readonly createdAt!: string;

  @MayBeAbsent()
  @IsISO8601({ strict: true })
  readonly notBefore?: string;

  @MayBeAbsent()
  @IsISO8601({ strict: true })
  readonly expiresAt?: string;

  /** A revoked key is kept, so that who had one stays known, and so that the last one does not open the doors. */
  @MayBeAbsent()
  @IsISO8601({ strict: true })
  readonly revokedAt?: string;
}

class KeyFile {
  @Equals(1)
  readonly version!: number;

  @IsArray()
  @ValidateNested({ each: true })
  @Type(() => KeyRecord)
  readonly keys!: readonly KeyRecord[];
}

/** Reads the content of the file of keys. @throws KeyFileDamaged where it is anything else, in part or whole */
export function parseKeys(bytes: Buffer): readonly KeyRecord[] {
  try {
    const { keys } = checked(KeyFile, parseJson(bytes), 'keys.json');
    const ids = new Set(keys.map(({ id }) => id));
    if (ids.size !== keys.length) throw new KeyFileDamaged('two keys have one id');
    return keys;
  } catch (error) {
    if (error instanceof AppError && error.code !== 'KEY_FILE_DAMAGED') throw new KeyFileDamaged(error.message, { cause: error });
    throw error;
  }
}

/** The content of the file of keys. */
export function formatKeys(keys: readonly KeyRecord[]): Buffer {
  return Buffer.from(`${JSON.stringify({ version: 1, keys }, null, 2)}\n`);
}

/** From when on and until when a key counts, milliseconds since 1970. */
export function validityOf({ notBefore, expiresAt, revokedAt }: KeyRecord): { readonly from: number; readonly until: number } {
  const from = notBefore === undefined ? Number.NEGATIVE_INFINITY : Date.parse(notBefore);
  const until = expiresAt === undefined ? Number.POSITIVE_INFINITY : Date.parse(expiresAt);
  return { from, until: revokedAt === undefined ? until : Number.NEGATIVE_INFINITY };
}
