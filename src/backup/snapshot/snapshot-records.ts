/** Names a snapshot: when its cut was made (UTC), the number of the registry's last event in it, and four hex digits by chance. */
export type SnapshotId = string;

/** Why a snapshot was taken. */
export const TRIGGERS = ['schedule', 'manual', 'safety'] as const;

/** Why a snapshot was taken. */
export type Trigger = (typeof TRIGGERS)[number];

/** How closely a snapshot is looked at. `structure`: everything it names is there; `data`: and every byte is what it was. */
export type VerifyLevel = 'structure' | 'data';

/** Why a drill failed. */
export interface DrilledFailure {
  /** How far it came; as `reason` a word of a closed set. */
  readonly phase: string;
  readonly reason: string;
  /** One sentence. */
  readonly detail: string;
  readonly objects: readonly string[];
}

/** A snapshot as the log of `backups/` tells it, and as the disk bears it out. */
export interface SnapshotRecord {
  readonly id: SnapshotId;
  /** Number of the registry's last event in it. */
  readonly seq: number;
  /** The registry's line of history. */
  readonly lineage: string;
  /** When the cut was made: ISO 8601, UTC, milliseconds. */
  readonly createdAt: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly trigger: Trigger;
  /** SHA-256 of the manifest. */
  readonly manifest: string;
  readonly signed: boolean;
  readonly encrypted: boolean;
  readonly objects: number;
  /** Of all objects, before encryption. */
  readonly bytes: number;
  /** What was written for it, as stored, the manifest included. */
  readonly newBytes: number;
  /** The closest verification that found nothing, the newest of its level. */
  readonly verified?: { readonly at: string; readonly level: VerifyLevel };
  /** The newest verification that found nothing and looked less closely; absent where that is not newer than `verified`. */
  readonly lookedOver?: { readonly at: string };
  /** The last drill of it: whether it was restored elsewhere and served there, and in how many milliseconds. */
  readonly drilled?: { readonly at: string; readonly ok: boolean; readonly ms: number; readonly failure?: DrilledFailure };
  /** A tombstone; undone by `snapshot.undeleted` until what it names is collected. */
  readonly deleted?: { readonly at: string; readonly reason: string };
  /** Brought back by a person: it stays until a person deletes it. */
  readonly undeleted?: { readonly at: string };
  /** What is wrong with it: what the disk lacks, and what a verification found since the last that found nothing. Never empty. */
  readonly damaged?: readonly string[];
}

/** How far something long has come. */
export interface Progress {
  readonly phase: string;
  readonly doneBytes: number;
  readonly allBytes: number;
  readonly doneObjects: number;
  readonly allObjects: number;
}

const GRAMMAR = /^[0-9]{8}T[0-9]{6}Z-(0|[1-9][0-9]{0,15})-[0-9a-f]{4}$/;

/** Whether a text can name a snapshot. Ids sort by the time of their cut. */
export function isSnapshotId(text: string): text is SnapshotId {
  return GRAMMAR.test(text);
}

/** @param chance four hex digits */
export function snapshotId(createdAt: string, seq: number, chance: string): SnapshotId {
  return `${createdAt.slice(0, 19).replaceAll(/[-:]/g, '')}Z-${seq}-${chance}`;
}
