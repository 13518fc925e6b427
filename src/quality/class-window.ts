import type { Outcome } from './feedback-item';

/** How well one class is told. */
export interface ClassFigures {
  readonly label: Outcome;
  /** Of what was said to be this class, the share that was; null: it was never said. */
  readonly precision: number | null;
  /** Of what was this class, the share that was said to be; null: it never was. */
  readonly recall: number | null;
  /** How often it was said. */
  readonly predicted: number;
  /** How often it was true. */
  readonly actual: number;
}

/** How well classes are told. */
export interface ClassificationFigures {
  readonly accuracy: number;
  /** Mean over all classes that were said or true; one that was never said counts as 0. */
  readonly precision: number;
  /** Mean over all classes that were said or true; one that never was counts as 0. */
  readonly recall: number;
  /** The most frequent first. */
  readonly classes: readonly ClassFigures[];
}

interface Tally {
  right: number;
  predicted: number;
  actual: number;
}

/** The last outcomes of a classifier. It knows only classes that are among them. */
export class ClassWindow {
  private readonly predicted: Outcome[] = [];
  private readonly actual: Outcome[] = [];
  private readonly tallies = new Map<Outcome, Tally>();
  private next = 0;
  private right = 0;

  constructor(private readonly size: number) {}

  get items(): number {
    return this.predicted.length;
  }

  add(predicted: Outcome, actual: Outcome): void {
    if (this.items === this.size) this.count(this.predicted[this.next] as Outcome, this.actual[this.next] as Outcome, -1);
    [this.predicted[this.next], this.actual[this.next]] = [predicted, actual];
    this.next = (this.next + 1) % this.size;
    this.count(predicted, actual, 1);
  }

  /** @returns undefined where nothing was told */
  figures(): ClassificationFigures | undefined {
    if (this.items === 0) return undefined;
    const classes = [...this.tallies].map(([label, { right, predicted, actual }]) => ({
      label,
      precision: predicted === 0 ? null : right / predicted,
      recall: actual === 0 ? null : right / actual,
      predicted,
      actual,
    }));
    return {
      accuracy: this.right / this.items,
      precision: mean(classes.map(({ precision }) => precision ?? 0)),
      recall: mean(classes.map(({ recall }) => recall ?? 0)),
      classes: classes.toSorted((a, b) => b.predicted + b.actual - a.predicted - a.actual || (String(a.label) < String(b.label) ? -1 : 1)),
    };
  }

  private count(predicted: Outcome, actual: Outcome, change: 1 | -1): void {
    this.tally(predicted, 'predicted', change);
    this.tally(actual, 'actual', change);
    if (predicted !== actual) return;
    this.right += change;
    const tally = this.tallies.get(actual);
    if (tally !== undefined) tally.right += change;
  }

  private tally(label: Outcome, what: 'predicted' | 'actual', change: 1 | -1): void {
    const tally = this.tallies.get(label) ?? { right: 0, predicted: 0, actual: 0 };
    tally[what] += change;
    if (tally.predicted === 0 && tally.actual === 0) this.tallies.delete(label);
    else this.tallies.set(label, tally);
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
