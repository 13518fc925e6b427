import type { Writable } from 'node:stream';

/** Exit codes of every command; the most severe wins. */
export const EXIT = { ok: 0, error: 1, partial: 3, noRepository: 10, key: 12, usage: 64, interrupted: 130 } as const;

/** One of them. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Where a command writes, a line at a time: what was asked for, and what is said to people. */
export interface CommandOutput {
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
  /** Where somebody watches, the terminal: text as it is, so that a line can be written over. */
  readonly terminal?: (text: string) => void;
  /** Where bytes go that are no lines. */
  readonly bytes?: Writable;
}

/** The words of a command make no sense together. */
export class WrongUsage extends Error {
  /** @param command the words of the command whose help says how it is right */
  constructor(
    message: string,
    readonly command: readonly string[] = [],
  ) {
    super(message);
  }
}

/** There is no registry, or there are no backups, where a command looks for them. */
export class NothingThere extends Error {}

/** Somebody pressed Ctrl-C, and the command left nothing half done. */
export class Interrupted extends Error {
  constructor(options?: ErrorOptions) {
    super('Interrupted; nothing is half done', options);
  }
}
