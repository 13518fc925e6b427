import { join } from 'node:path';
import { checkBackups } from './backup-check';
import { checkRestores } from './restore-check';
import { type Ack, checkRegistry } from './registry-check';

/** What is meddled with: a program that says what it has done, and who holds what is left against that. */
export interface Subject {
  /** The path of a program: `node DRIVER ROOT [--mutant NAME] STEP...`, as registry-driver.cjs. */
  readonly driver: string;
  /** @returns a sentence for each promise that is broken */
  readonly check: (root: string, ...streams: readonly (readonly Ack[])[]) => Promise<readonly string[]>;
  /** Codes of what a step may meet because of what others did meanwhile. */
  readonly harmless: readonly string[];
  /** Steps that succeed on whatever is left, with no hand laid on it. */
  readonly next: readonly string[];
}

export const REGISTRY: Subject = {
  driver: join(__dirname, 'registry-driver.cjs'),
  check: checkRegistry,
  harmless: ['BYTES_COLLECTED'],
  next: [],
};

/** The first prune deletes what the new snapshot supersedes, the second collects it. */
export const BACKUPS: Subject = {
  driver: join(__dirname, 'backup-driver.cjs'),
  check: checkBackups,
  // without any time between two looks, what one prune is about to ask may be collected by another
  harmless: ['PLAN_OUTDATED', 'COLLECTION_REFUSED'],
  next: ['publish:next:bytes', 'take', 'verify', 'prune', 'prune'],
};

/** A snapshot that is to be restored may be deleted before it is opened. */
export const RESTORES: Subject = {
  ...BACKUPS,
  check: async (root, ...streams) => [...(await checkBackups(root, ...streams)), ...(await checkRestores(root, ...streams))],
  harmless: [...BACKUPS.harmless, 'RESTORE_OVERTAKEN', 'SNAPSHOT_NOT_FOUND'],
  next: ['start:models', 'publish:next:bytes', 'take', 'verify', 'restore', 'place:next', 'start:next'],
};
