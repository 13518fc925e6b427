// Gives a process a wrong clock: `node --require clock.cjs …`. Timers and CLOCK_MONOTONIC go on being right.
// CLOCK: milliseconds that its clock is ahead; `1970`; `jumps`: from one of these to another at each look
const Real = Date;
const YEAR_MS = 365 * 24 * 3_600_000;
const since1970 = Real.now();
const jumps = [0, YEAR_MS, -YEAR_MS, -since1970, 3_600_000, 1];

const { CLOCK = '0' } = process.env;
const ahead = () => {
  if (CLOCK === 'jumps') return jumps[Math.floor(Math.random() * jumps.length)];
  return CLOCK === '1970' ? -since1970 : Number(CLOCK);
};

globalThis.Date = class extends Real {
  constructor(...args) {
    super(...(args.length === 0 ? [Real.now() + ahead()] : args));
  }
  static now() {
    return Real.now() + ahead();
  }
};
