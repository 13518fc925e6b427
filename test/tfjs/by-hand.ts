// What layers do, by loops and nothing else. Everything is row-major, with the channels last.

/** A convolution or a pooling over any number of dimensions. */
export interface Window {
  readonly spatial: readonly number[];
  readonly kernel: readonly number[];
  readonly stride: number;
  /** As much of it outside as makes the output `ceil(size / stride)` long; else none. */
  readonly same?: boolean;
}

const product = (sizes: readonly number[]): number => sizes.reduce((all, size) => all * size, 1);

/** Every place in a block of these sizes. */
function* places(sizes: readonly number[]): Generator<readonly number[]> {
  const [first, ...rest] = sizes;
  if (first === undefined) return yield [];
  for (let at = 0; at < first; at++) for (const place of places(rest)) yield [at, ...place];
}

const indexOf = (place: readonly number[], sizes: readonly number[]): number =>
  place.reduce((index, at, axis) => index * (sizes[axis] as number) + at, 0);

/** For each place of the output, in their order: pairs of an index of the input and one of the kernel, both without channels. */
export function windows({ spatial, kernel, stride, same = false }: Window): readonly (readonly (readonly [number, number])[])[] {
  const output = spatial.map((size, axis) =>
    same ? Math.ceil(size / stride) : Math.floor((size - (kernel[axis] as number)) / stride) + 1,
  );
  const before = spatial.map((size, axis) =>
    same ? Math.floor(Math.max(0, ((output[axis] as number) - 1) * stride + (kernel[axis] as number) - size) / 2) : 0,
  );
  return [...places(output)].map((out) =>
    [...places(kernel)].flatMap((within) => {
      const place = out.map((at, axis) => at * stride + (within[axis] as number) - (before[axis] as number));
      const inside = place.every((at, axis) => at >= 0 && at < (spatial[axis] as number));
      return inside ? [[indexOf(place, spatial), indexOf(within, kernel)] as const] : [];
    }),
  );
}

/** @param weights [...kernel, inputs, outputs] */
export function convolved(x: readonly number[], weights: readonly number[], window: Window, inputs: number, outputs: number): number[] {
  return windows(window).flatMap((pairs) =>
    Array.from({ length: outputs }, (_, to) =>
      pairs.reduce((sum, [at, within]) => {
        for (let from = 0; from < inputs; from++)
          sum += (x[at * inputs + from] as number) * (weights[(within * inputs + from) * outputs + to] as number);
        return sum;
      }, 0),
    ),
  );
}

/** @param weights [...kernel, outputs, inputs]: what a convolution of the output would be @param window `spatial`: of the output */
export function deconvolved(x: readonly number[], weights: readonly number[], window: Window, inputs: number, outputs: number): number[] {
  const answer = Array<number>(product(window.spatial) * outputs).fill(0);
  for (const [from, pairs] of windows(window).entries()) {
    for (const [at, within] of pairs) {
      for (let to = 0; to < outputs; to++) {
        for (let channel = 0; channel < inputs; channel++) {
          answer[at * outputs + to] = (answer[at * outputs + to] as number) + (x[from * inputs + channel] as number) * (weights[(within * outputs + to) * inputs + channel] as number); // prettier-ignore
        }
      }
    }
  }
  return answer;
}

/** One channel. */
export function pooled(x: readonly number[], window: Window, of: (values: readonly number[]) => number): number[] {
  return windows(window).map((pairs) => of(pairs.map(([at]) => x[at] as number)));
}

export const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** A row by a matrix [inputs, outputs]. */
export function times(row: readonly number[], matrix: readonly number[]): number[] {
  const outputs = matrix.length / row.length;
  return Array.from({ length: outputs }, (_, to) => row.reduce((sum, value, at) => sum + value * (matrix[at * outputs + to] as number), 0));
}

export const plus = (...rows: readonly (readonly number[])[]): number[] =>
  (rows[0] ?? []).map((_, at) => rows.reduce((sum, row) => sum + (row[at] as number), 0));

export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** The weights of a cell, as Keras orders the parts: SimpleRNN one, GRU z r h, LSTM i f c o. */
export interface Cell {
  readonly kernel: readonly number[];
  readonly recurrent: readonly number[];
  readonly bias: readonly number[];
}

const parts = (row: readonly number[], units: number): readonly (readonly number[])[] =>
  Array.from({ length: row.length / units }, (_, at) => row.slice(at * units, (at + 1) * units));

/** @returns the state after each step */
export function simpleRnn(steps: readonly (readonly number[])[], { kernel, recurrent, bias }: Cell): readonly number[][] {
  let h = bias.map(() => 0);
  return steps.map((x) => (h = plus(times(x, kernel), times(h, recurrent), bias).map(Math.tanh)));
}

export function lstm(steps: readonly (readonly number[])[], { kernel, recurrent, bias }: Cell): readonly number[][] {
  const units = bias.length / 4;
  let [h, c] = [Array<number>(units).fill(0), Array<number>(units).fill(0)];
  return steps.map((x) => {
    const [i = [], f = [], g = [], o = []] = parts(plus(times(x, kernel), times(h, recurrent), bias), units);
    c = c.map((old, at) => sigmoid(f[at] as number) * old + sigmoid(i[at] as number) * Math.tanh(g[at] as number));
    h = c.map((value, at) => sigmoid(o[at] as number) * Math.tanh(value));
    return h;
  });
}

/** The reset gate comes before the recurrent product (reset_after=False). */
export function gru(steps: readonly (readonly number[])[], { kernel, recurrent, bias }: Cell): readonly number[][] {
  const units = bias.length / 3;
  const columns = (from: number, count: number): number[] => Array.from({ length: units }, (_, row) => recurrent.slice(row * 3 * units + from * units, row * 3 * units + (from + count) * units)).flat(); // prettier-ignore
  let h = Array<number>(units).fill(0);
  return steps.map((x) => {
    const [xz = [], xr = [], xh = []] = parts(plus(times(x, kernel), bias), units);
    const [hz = [], hr = []] = parts(times(h, columns(0, 2)), units);
    const [z, r] = [plus(xz, hz).map(sigmoid), plus(xr, hr).map(sigmoid)];
    const candidate = plus(xh, times(h.map((value, at) => value * (r[at] as number)), columns(2, 1))).map(Math.tanh); // prettier-ignore
    h = h.map((old, at) => (z[at] as number) * old + (1 - (z[at] as number)) * (candidate[at] as number));
    return h;
  });
}
