// What a step takes by itself, in this process.
import { median } from '../serving/rounds.mjs';

const [ROUNDS, MILLISECONDS] = [9, 100];

/** @returns microseconds of one of many in a row */
export function microsAlone(work) {
  const round = () => {
    const startedAt = performance.now();
    let times = 0;
    for (; performance.now() < startedAt + MILLISECONDS; times += 16) for (let at = 0; at < 16; at++) work();
    return ((performance.now() - startedAt) * 1000) / times;
  };
  round(); // until it is compiled
  return median(Array.from({ length: ROUNDS }, round));
}
