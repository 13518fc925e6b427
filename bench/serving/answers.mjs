// Nobody is timed who answers something else.
import { asJson } from './requests.mjs';

const SHOWN = 3;
/** What sums in another order may differ by. */
const NEAR = 1e-5;

export const ask = (origin, target, request) => fetch(`${origin}${target}`, { method: 'POST', ...request });

/** @returns all outputs' numbers as float32, whatever their order of digits */
async function answerOf(origin, target, body) {
  const response = await ask(origin, target, asJson(body));
  if (response.status !== 200) throw new Error(`answered ${response.status}: ${await response.text()}`);
  const { outputs } = await response.json();
  return Float32Array.from(outputs[0].data.flat(Infinity));
}

export async function answersOf({ origin }, target, bodies) {
  const answers = [];
  for (const body of bodies) answers.push(await answerOf(origin, target, body));
  return answers;
}

const farness = (one, other) => (Object.is(one, other) ? 0 : Math.abs(one - other) / Math.max(1, Math.abs(other)));

/** @param exact whether every bit must be the same @returns the largest difference @throws where an answer is another one */
export function compareAnswers(name, answers, wanted, { exact }) {
  const far = answers.flatMap((answer, at) => {
    const differences = Array.from(wanted[at], (value, column) => farness(answer[column] ?? Number.NaN, value));
    return [answer.length === wanted[at].length ? Math.max(...differences) : Infinity];
  });
  const wrong = far.flatMap((difference, at) => (difference <= (exact ? 0 : NEAR) ? [] : [at]));
  const shown = wrong.slice(0, SHOWN).map((at) => `row ${at}: ${answers[at].join(' ')} instead of ${wanted[at].join(' ')}`);
  if (wrong.length > 0) throw new Error(`${name} answers otherwise, ${wrong.length} of ${far.length}: ${shown.join('; ')}`);
  return Math.max(...far);
}
