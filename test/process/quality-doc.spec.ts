import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MOST_CLASSES_TOLD, MOST_FEATURES_TOLD } from '../../src/quality/version-series';
import { type ServerProcess, Servers } from './server-process';
import { differenceOf, examplesOf } from './shown-answer';

const ROOT = join(__dirname, '../..');
const PATIENCE_MS = 90_000;
const DOCUMENT = readFileSync(join(ROOT, 'docs/QUALITY.md'), 'utf8');
const METRICS = readFileSync(join(ROOT, 'docs/METRICS.md'), 'utf8');
const EXAMPLES = examplesOf(DOCUMENT);

describe('docs/QUALITY.md', () => {
  const servers = new Servers();
  let server: ServerProcess;
  beforeAll(async () => void (server = await servers.start()));
  afterAll(() => servers.remove());

  it.each(EXAMPLES.map(({ commands, answers }, at) => [at + 1, commands.split('\n')[0] as string, commands, answers] as const))(
    'answers as shown: %i. %s',
    (_at, _title, commands, answers) => {
      const script = commands.replaceAll('http://127.0.0.1:4100', server.origin);
      const said = execFileSync('bash', ['-euo', 'pipefail', '-c', script], { cwd: ROOT, encoding: 'utf8' });
      expect(answers.length).toBeGreaterThan(0);
      expect(answers.map((answer) => differenceOf(answer, said)).filter(Boolean)).toEqual([]);
    },
    PATIENCE_MS,
  );

  it('says how many classes and features Prometheus is told of', () => {
    expect(METRICS).toContain(`of the ${MOST_CLASSES_TOLD} most frequent`);
    expect(METRICS).toContain(`of the ${MOST_FEATURES_TOLD} that went farthest`);
  });
});
