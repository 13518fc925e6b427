import type { Measured, Placement, PlacementFacts, RowCosts } from './model-runtime.port';

const MIB = 2 ** 20;
/** What one inline run may take by the measured curve, microseconds. */
const MOST_RUN_MICROS = 300;
/** Nobody is answered while a session is made in the server's own process, ms. */
const MOST_LOAD_MS = 20;
const MOST_INITIALIZER_BYTES = 32 * MIB;

/**
 * Only what can neither hang nor grow may run in the server's own process: proved bounded by the walk through its file, and cheap by what
 * was measured. Whatever is not known speaks against it.
 */
export function placementOf({ signature, unbounded, initializerBytes, measured, isolated }: PlacementFacts): Placement {
  const shapes = signature.inputs.map(({ shape }) => shape);
  const free = shapes.length > 0 && shapes.every(([first]) => first === -1);
  const fixed = shapes.every(([first = 1]) => first !== -1);
  const why = [
    ...(isolated ? ['it is isolated'] : []),
    ...(unbounded ?? ['nobody has looked into the file yet: upload it again']),
    ...((free || fixed) && !shapes.some((shape) => shape.slice(1).includes(-1)) ? [] : ['a dimension besides the first is free']),
    ...((initializerBytes ?? Number.POSITIVE_INFINITY) > MOST_INITIALIZER_BYTES ? ['its weights take more than 32 MiB'] : []),
    ...tooDear(measured),
  ];
  return why.length === 0 && measured !== undefined ? { inline: { free, curve: measured.curve }, why } : { why };
}

function tooDear(measured: Measured | undefined): readonly string[] {
  if (measured === undefined) return ['it was not measured on this machine yet'];
  const least = measured.curve[0]?.micros ?? Number.POSITIVE_INFINITY;
  return [
    ...(measured.loadMs > MOST_LOAD_MS ? [`loading it takes more than ${MOST_LOAD_MS} ms`] : []),
    ...(least > MOST_RUN_MICROS ? [`a run takes more than ${MOST_RUN_MICROS} µs`] : []),
  ];
}

/** What a run of so many rows takes, microseconds; infinite where it is too dear to run inline, or nobody knows. */
export function inlineMicros({ curve }: RowCosts, rows: number): number {
  const at = curve.findIndex((point) => point.rows >= rows);
  const [above, below] = [curve[at], curve[at - 1]];
  if (above === undefined) return Number.POSITIVE_INFINITY;
  if (below === undefined || above.rows === rows) return dearAbove(above.micros);
  return dearAbove(below.micros + ((above.micros - below.micros) * (rows - below.rows)) / (above.rows - below.rows));
}

function dearAbove(micros: number): number {
  return micros > MOST_RUN_MICROS ? Number.POSITIVE_INFINITY : micros;
}
