import { timingSafeEqual } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { type BeforeApplicationShutdown, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { AuthConfig, HttpConfig, StorageConfig } from '../config/app-config';
import { apiKeysFile, isLoopback } from '../config/exposure';
import { hasCode } from '../errors/has-code';
import { readKey, sha256 } from './api-key';
import { Caller } from './caller';
import { KeyFileDamaged, KeysUnreadable } from './auth.errors';
import { type KeyRecord, parseKeys, validityOf } from './key-records';

const POLL_MS = 500;
const READABLE_BY_ALL = 0o004;

/** A key of the file, ready to be compared. */
interface HeldKey {
  readonly sha256: Buffer;
  readonly from: number;
  readonly until: number;
  readonly caller: Caller;
}

/** The keys that are in force: the one of the environment, and those of the file, which is read again within a second of its change. */
@Injectable()
export class KeyRing implements OnModuleInit, BeforeApplicationShutdown {
  private readonly logger = new Logger(KeyRing.name);
  private readonly path: string;
  private readonly closed: boolean;
  private readonly admin: HeldKey | undefined;
  /** undefined: the file could never be read. */
  private keys: ReadonlyMap<string, HeldKey> | undefined;
  /** Keys have been there: without them the doors do not open again. */
  private engaged = false;
  private seen = '';
  private fault: string | undefined;
  private timer: NodeJS.Timeout | undefined;
  private reading: Promise<void> | undefined;

  constructor(
    private readonly http: HttpConfig,
    auth: AuthConfig,
    storage: StorageConfig,
  ) {
    this.path = apiKeysFile(auth, storage);
    this.closed = auth.apiKey !== '' || !isLoopback(http.host);
    if (auth.apiKey !== '') this.admin = adminKey(auth.apiKey);
  }

  /** Whether callers need a key. */
  get required(): boolean {
    return this.http.authMode !== 'none' && (this.closed || this.engaged || this.keys === undefined);
  }

  async onModuleInit(): Promise<void> {
    await this.refresh();
    this.timer = setInterval(() => void this.refresh(), POLL_MS).unref();
  }

  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.reading;
  }

  /**
   * Whose key a text is.
   * @returns undefined where it is nobody's, or not in force now @throws KeysUnreadable where nobody can tell
   */
  authenticate(text: string): Caller | undefined {
    if (this.admin !== undefined && matches(this.admin, text)) return this.admin.caller;
    this.requireKeys();
    const given = readKey(text);
    if (given === undefined) return undefined;
    const key = this.find(given.id);
    if (key === undefined || !matches(key, given.secret)) return undefined;
    const now = Date.now();
    return key.from <= now && now < key.until ? key.caller : undefined;
  }

  /** @throws KeysUnreadable where the file could never be read */
  requireKeys(): void {
    if (this.keys === undefined) throw new KeysUnreadable();
  }

  /** Reads the file if it has changed. Never rejects: a file that cannot be read leaves the keys as they are, and the log says so. */
  refresh(): Promise<void> {
    this.reading ??= this.read()
      .catch((error: unknown) => this.failed(error))
      .finally(() => (this.reading = undefined));
    return this.reading;
  }

  /** A look-up by the public id. */
  private find(id: string): HeldKey | undefined {
    return this.keys?.get(id);
  }

  private async read(): Promise<void> {
    const file = await open(this.path, 'r').catch((error: unknown) => {
      if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
      throw error;
    });
    if (file === undefined) return this.absent();
    try {
      await this.readOpen(file);
    } finally {
      await file.close();
    }
  }

  private async readOpen(file: FileHandle): Promise<void> {
    const { ino, size, mtimeMs, ctimeMs, mode } = await file.stat();
    const seen = `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
    if (seen === this.seen && this.fault === undefined) return;
    const records = parseKeys(await file.readFile());
    this.keys = new Map(records.map((record) => [record.id, held(record)]));
    this.engaged ||= records.length > 0;
    [this.seen, this.fault] = [seen, undefined];
    this.logger.log('keys read', { keys: records.length });
    if ((mode & READABLE_BY_ALL) !== 0) this.logger.warn('everybody on this machine can read the file of the keys', { path: this.path });
  }

  private absent(): void {
    if (this.seen !== '') throw new KeyFileDamaged('it is gone');
    [this.keys, this.fault] = [this.keys ?? new Map<string, HeldKey>(), undefined];
  }

  private failed(error: unknown): void {
    const fault = (error as Error).message;
    if (fault === this.fault) return; // said already
    this.fault = fault;
    const consequence = this.keys === undefined ? 'nobody gets in but with API_KEY' : 'those read before stay in force';
    this.logger.error('keys not read', { path: this.path, consequence, err: error });
  }
}

function adminKey(text: string): HeldKey {
  const caller = new Caller({ keyId: 'API_KEY', name: 'API_KEY', scopes: ['admin'], models: [] });
  return { sha256: Buffer.from(sha256(text), 'hex'), from: 0, until: Number.POSITIVE_INFINITY, caller };
}

function held(record: KeyRecord): HeldKey {
  const { id, name, scopes, models } = record;
  const caller = new Caller({ keyId: id, name, scopes, models });
  return { sha256: Buffer.from(record.sha256, 'hex'), ...validityOf(record), caller };
}

function matches(key: HeldKey, secret: string): boolean {
  return timingSafeEqual(key.sha256, Buffer.from(sha256(secret), 'hex'));
}
