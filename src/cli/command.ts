/** Exit codes of every command; the most severe wins. */
export const EXIT = { ok: 0, error: 1, partial: 3, noRepository: 10, usage: 64 } as const;

/** Where a command writes, a line at a time: what was asked for, and what is said to people. */
export interface CommandOutput {
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
}
