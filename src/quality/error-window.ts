/** How well numbers are told. */
export interface RegressionFigures {
  /** Mean absolute error. */
  readonly mae: number;
  /** Root of the mean squared error. */
  readonly rmse: number;
  /** Share of items whose direction was right. */
  readonly directionalAccuracy: number;
}

/** The last outcomes of a regressor. */
export class ErrorWindow {
  private readonly errors: Float64Array;
  private readonly directions: Uint8Array;
  private next = 0;
  items = 0;

  constructor(private readonly size: number) {
    [this.errors, this.directions] = [new Float64Array(size), new Uint8Array(size)];
  }

  /** @param previous what both are compared with, to see whether they go the same way; 0: they are changes themselves */
  add(predicted: number, actual: number, previous = 0): void {
    this.errors[this.next] = predicted - actual;
    this.directions[this.next] = Number(Math.sign(predicted - previous) === Math.sign(actual - previous));
    this.next = (this.next + 1) % this.size;
    this.items = Math.min(this.items + 1, this.size);
  }

  /** Added up anew each time, places that are not filled yet as 0: sums that are only mended keep what huge values rounded away. @returns undefined where nothing was told */
  figures(): RegressionFigures | undefined {
    if (this.items === 0) return undefined;
    return {
      mae: this.errors.reduce((sum, error) => sum + Math.abs(error), 0) / this.items,
      rmse: Math.sqrt(this.errors.reduce((sum, error) => sum + error * error, 0) / this.items),
      directionalAccuracy: this.directions.reduce((sum, right) => sum + right, 0) / this.items,
    };
  }
}
