import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ServerProcess, Servers } from './server-process';
import { differenceOf, examplesOf } from './shown-answer';

const ROOT = join(__dirname, '../..');
const EXAMPLES = examplesOf(readFileSync(join(ROOT, 'docs/API.md'), 'utf8'));

/** The first line of commands, to name them by. */
const titleOf = (commands: string): string => commands.split('\n')[0]?.slice(0, 100) as string;

describe('docs/API.md', () => {
  const servers = new Servers();
  const said: string[] = [];
  let server: ServerProcess;
  beforeAll(async () => void (server = await servers.start()));
  afterAll(() => servers.remove());

  it('shows an answer to every command', () => {
    expect(EXAMPLES.length).toBeGreaterThan(30);
    expect(EXAMPLES.filter(({ answers }) => answers.length === 0)).toEqual([]);
  });

  it.each(EXAMPLES.map(({ commands, answers }, at) => [at + 1, titleOf(commands), commands, answers] as const))(
    'answers as shown: %i. %s',
    (at, _, commands, answers) => {
      const script = commands.replaceAll('http://127.0.0.1:4100', server.origin);
      said[at - 1] = execFileSync('bash', ['-euo', 'pipefail', '-c', script], { cwd: ROOT, encoding: 'utf8' });
      expect(answers.map((answer) => differenceOf(answer, said[at - 1] as string)).filter(Boolean)).toEqual([]);
    },
  );

  it('would not pass with anything else shown: every word and number of every answer, planted wrong, is found', () => {
    const missed = EXAMPLES.flatMap(({ commands, answers }, at) =>
      answers.flatMap((answer) =>
        plantedIn(answer.text)
          .filter((text) => differenceOf({ ...answer, text }, said[at] as string) === undefined)
          .map((text) => `${titleOf(commands)}\n${text}`),
      ),
    );
    expect(missed).toEqual([]);
  });
});

const OTHER: Readonly<Record<string, string>> = { true: 'false', false: 'true', null: '0' };

/** The text once for each word and number in it, with that one changed. */
function plantedIn(text: string): readonly string[] {
  return [...text.matchAll(/[a-z]{2,}|\d+/gi)].map(({ 0: word, index }) => {
    const wrong = /\d/.test(word) ? word.replace(/\d$/, (digit) => String((Number(digit) % 9) + 1)) : (OTHER[word] ?? `${word}x`);
    return text.slice(0, index) + wrong + text.slice(index + word.length);
  });
}
