import type { Datatype, Tensor, TensorData } from '../runtime/tensor';
import { eachRow, type FeatureMatrix, matrixOf, roundedAs, watchedColumns } from './watched-matrix';

function version(
  inputs: readonly { readonly datatype: Datatype; readonly shape: readonly number[] }[],
  metadata = {},
): Parameters<typeof matrixOf>[0] {
  return {
    signature: { inputs: inputs.map((input, at) => ({ name: `i${at}`, ...input })), outputs: [] },
    manifest: { files: [], metadata },
  };
}

describe(matrixOf, () => {
  it.each(['FP32', 'FP64', 'INT64', 'UINT8'] as const)('is the one matrix of %s', (datatype) => {
    const names = ['a', 'b'];
    expect(matrixOf(version([{ datatype, shape: [-1, 2] }], { featureNames: names }))).toEqual({ datatype, width: 2, names });
  });

  it.each([
    ['texts', [{ datatype: 'BYTES', shape: [-1, 2] }]],
    ['halves', [{ datatype: 'FP16', shape: [-1, 2] }]],
    ['truth values', [{ datatype: 'BOOL', shape: [-1, 2] }]],
    ['pictures', [{ datatype: 'FP32', shape: [-1, 1, 8, 8] }]],
    ['a row of free width', [{ datatype: 'FP32', shape: [-1, -1] }]],
    ['two inputs', [{ datatype: 'FP32', shape: [-1, 2] }, { datatype: 'FP32', shape: [-1, 2] }]], // prettier-ignore
    ['nothing', []],
  ] as const)('is none of %s', (_, inputs) => {
    expect(matrixOf(version(inputs))).toBeUndefined();
  });
});

describe(watchedColumns, () => {
  const matrix = (width: number, names?: readonly string[]): FeatureMatrix => ({ datatype: 'FP32', width, names });

  it('are all columns, by name, or by number where they have none', () => {
    expect(watchedColumns(matrix(2, ['a', 'b']), undefined)).toEqual([{ feature: 'a', at: 0 }, { feature: 'b', at: 1 }]); // prettier-ignore
    expect(watchedColumns(matrix(2), undefined)).toEqual([{ feature: '0', at: 0 }, { feature: '1', at: 1 }]); // prettier-ignore
  });

  it('are those of the baseline where there is one', () => {
    expect(watchedColumns(matrix(3, ['a', 'b', 'c']), { c: {}, b: {} })).toEqual([{ feature: 'b', at: 1 }, { feature: 'c', at: 2 }]); // prettier-ignore
  });

  it('are at most 256', () => {
    expect(watchedColumns(matrix(100_000), undefined)).toHaveLength(256);
  });
});

describe(eachRow, () => {
  const columns = [{ feature: 'c', at: 2 }, { feature: 'a', at: 0 }]; // prettier-ignore
  const looked = (data: TensorData, rows: number, start?: number): readonly (readonly number[])[] => {
    const found: number[][] = [];
    const tensor: Tensor = { name: 'x', datatype: 'FP32', shape: [rows, 3], data };
    eachRow(tensor, columns, new Float64Array(2), (row) => found.push([...row]), start);
    return found;
  };

  it('shows the watched columns of every row', () => {
    expect(looked(Float32Array.of(1, 2, 3, 4, 5, 6), 2)).toEqual([[3, 1], [6, 4]]); // prettier-ignore
    expect(looked(BigInt64Array.of(1n, 2n, 3n), 1)).toEqual([[3, 1]]);
  });

  it('shows sixteen rows of many, evenly apart, from a place by chance on', () => {
    const data = Float64Array.from({ length: 3 * 1000 }, (_, at) => Math.floor(at / 3));
    for (const start of [0, 0.5, 0.999]) {
      const rows = looked(data, 1000, start).map(([first]) => first as number);
      expect(rows).toHaveLength(16);
      expect(rows[0]).toBe(Math.floor(start * 62.5));
      const steps = rows.slice(1).map((row, at) => row - (rows[at] as number));
      expect([...new Set(steps)].sort()).toEqual([62, 63]);
    }
    expect(looked(data, 16)).toHaveLength(16);
  });

  it.each([
    [64, 16],
    [65, 15],
    [256, 4],
  ])('shows, of %d columns, %d rows', (width, rows) => {
    const tensor: Tensor = { name: 'x', datatype: 'FP64', shape: [100, width], data: new Float64Array(100 * width) };
    const wide = watchedColumns({ datatype: 'FP64', width, names: undefined }, undefined);
    let shown = 0;
    eachRow(tensor, wide, new Float64Array(width), () => shown++, 0);
    expect(shown).toBe(rows);
  });

  it('shows no row of a call without rows', () => {
    expect(looked(new Float32Array(0), 0)).toEqual([]);
  });
});

describe(roundedAs, () => {
  it('rounds as the matrix does', () => {
    expect(roundedAs('FP32', 0.7)).toBe(Float32Array.of(0.7)[0]);
    expect(roundedAs('FP64', 0.7)).toBe(0.7);
  });
});
