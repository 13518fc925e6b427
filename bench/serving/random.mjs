/** Numbers from 0 to 1 that look random and are the same at every run (mulberry32). */
export function randomFrom(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** From -1 to 1, of at most six digits: short enough for a JSON body as people write it. */
export const feature = (random) => Math.round(random() * 2e6 - 1e6) / 1e6;
