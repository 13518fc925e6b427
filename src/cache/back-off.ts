const FIRST_MS = 500;
/** With the second that a connection may take: back at most 5 s after Redis is. */
const MOST_MS = 3500;

/** How long to wait before the next attempt: longer each time, and never as long as the others wait. */
export class BackOff {
  private attempts = 0;

  /** @returns milliseconds */
  next(): number {
    const ceiling = Math.min(MOST_MS, FIRST_MS * 2 ** ++this.attempts);
    return FIRST_MS + Math.random() * (ceiling - FIRST_MS);
  }

  /** It went well for a while. */
  reset(): void {
    this.attempts = 0;
  }
}
