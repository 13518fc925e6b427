import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { LOG_START } from '../storage/event-log.port';
import { openStorage } from '../storage/open-storage';
import { mintKey } from './api-key';
import { AuditWriter } from './audit-writer';
import { KeyFile } from './key-file';
import { formatKeys, type KeyRecord, parseKeys } from './key-records';

/** What a new key shall be. */
export type KeyWish = Pick<KeyRecord, 'name' | 'scopes' | 'models' | 'notBefore' | 'expiresAt'>;

/** Gives keys out and takes them back, beside a running server or without one, and leaves an audit event each time. */
export class KeyOffice {
  private readonly file: KeyFile;
  private readonly audit: AuditWriter;
  private readonly log: ReturnType<typeof openStorage>['log'];

  /**
   * @param path the file of the keys
   * @param modelsDir the folder of the registry, which holds the audit trail
   * @param actor who does it, for the audit trail
   */
  constructor(
    path: string,
    modelsDir: string,
    private readonly actor: string,
  ) {
    this.file = new KeyFile(path);
    this.log = openStorage(auditFolder(modelsDir)).log;
    this.audit = new AuditWriter(this.log);
  }

  /** @returns the text of the new key, which nobody can tell again @throws as KeyFile.change */
  async create(wish: KeyWish): Promise<{ readonly text: string; readonly record: KeyRecord }> {
    const { text, id, sha256 } = mintKey();
    const record: KeyRecord = { id, ...wish, sha256, createdAt: new Date().toISOString() };
    parseKeys(formatKeys([record])); // before anything is noted of a key that no server could read
    await this.file.change(async (keys) => {
      await this.note('key.created', record); // first: there shall be no key that nobody knows of
      return [...keys, record];
    });
    return { text, record };
  }

  /** Every key there ever was. @throws KeyFileDamaged */
  list(): Promise<readonly KeyRecord[]> {
    return this.file.read();
  }

  /** @returns the key as it is now, undefined where no key has this id @throws as KeyFile.change */
  async revoke(id: string): Promise<KeyRecord | undefined> {
    let revoked: KeyRecord | undefined;
    await this.file.change(async (keys) => {
      const found = keys.find((key) => key.id === id);
      revoked = found && Object.assign(found, { revokedAt: found.revokedAt ?? new Date().toISOString() });
      return keys;
    });
    if (revoked !== undefined) await this.note('key.revoked', revoked); // last: a full disk shall not keep a key in force
    return revoked;
  }

  /** Reads the whole audit trail. @returns how many events it has @throws LogDamaged naming the first event that cannot be trusted */
  async verify(): Promise<number> {
    let events = 0;
    for await (const { position } of this.log.read(LOG_START)) events = position.seq;
    return events;
  }

  private note(kind: string, { id, name, scopes, models, notBefore, expiresAt }: KeyRecord): Promise<void> {
    const limits = { ...(notBefore !== undefined && { notBefore }), ...(expiresAt !== undefined && { expiresAt }) };
    return this.audit.append({ kind, actor: this.actor, correlationId: `cli-${randomUUID()}`, keyId: id, name, scopes, models, ...limits });
  }
}

/** Where the audit trail lies. */
export function auditFolder(modelsDir: string): string {
  return join(modelsDir, 'auth', 'audit');
}
