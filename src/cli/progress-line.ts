import type { Progress } from '../backup/snapshot/snapshot-records';
import { bytesText, spanText } from './amounts';
import type { CommandOutput } from './command';

const REDRAW_MS = 100;
const LINE_MS = 5000;
const COLUMNS = 79;

/**
 * Tells people how far something long has come, on standard error: on a terminal one line that is written over, elsewhere a line
 * now and then.
 */
export class ProgressLine {
  private phase = '';
  private phaseAt = 0;
  private phaseBytes = 0;
  private toldAt = Number.NEGATIVE_INFINITY;
  private drawn = false;

  /** @param quiet tells nothing at all */
  constructor(
    private readonly output: CommandOutput,
    private readonly quiet: boolean,
    private readonly now: () => number = () => performance.now(),
  ) {}

  readonly tell = (progress: Progress): void => {
    if (this.quiet) return;
    const now = this.now();
    if (progress.phase !== this.phase) this.begin(progress, now);
    else if (now - this.toldAt < (this.output.terminal === undefined ? LINE_MS : REDRAW_MS)) return;
    this.toldAt = now;
    const text = this.textOf(progress, now);
    if (this.output.terminal === undefined) return this.output.err(text);
    this.output.terminal(`\r\u001b[K${text.slice(0, COLUMNS)}`);
    this.drawn = true;
  };

  /** Takes the line away, before anything else is written. */
  readonly end = (): void => {
    if (this.drawn) this.output.terminal?.('\r\u001b[K');
    this.drawn = false;
  };

  private begin({ phase, doneBytes }: Progress, now: number): void {
    [this.phase, this.phaseAt, this.phaseBytes] = [phase, now, doneBytes];
  }

  private textOf({ phase, doneBytes, allBytes, doneObjects, allObjects }: Progress, now: number): string {
    const parts = [`${doneObjects} of ${Math.max(allObjects, doneObjects)} objects`, `${bytesText(doneBytes)} of ${bytesText(allBytes)}`];
    const rate = ((doneBytes - this.phaseBytes) * 1000) / Math.max(now - this.phaseAt, 1);
    if (allBytes > 0) parts.push(`${Math.floor((100 * doneBytes) / allBytes)} %`);
    if (rate > 0) parts.push(`${bytesText(rate)}/s`, `${spanText((allBytes - doneBytes) / rate)} left`);
    return `${phase}: ${parts.join(', ')}`;
  }
}
