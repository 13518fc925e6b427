import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { REASONS, TAKING } from '../../src/backup/snapshot/snapshot-failure';
import { PROBLEMS } from '../../src/backup/verify/verify-report';
import { BackupHouse } from './backup-house';

const LINES = 10;
const document = readFileSync(join(__dirname, '..', '..', 'docs', 'BACKUP.md'), 'utf8');
const script = /^```sh\n(.*?)^```/ms.exec(document)?.[1] as string;
const hasTools = spawnSync('sh', ['-c', 'jq --version && sha256sum --version'], { stdio: 'ignore' }).status === 0;
const describeByHand = hasTools || process.env.CI !== undefined ? describe : describe.skip;

beforeAll(() => Logger.overrideLogger(false));

describeByHand('docs/BACKUP.md (needs jq and sha256sum)', () => {
  it('finds a state, its files and its last events with plain tools, as it says', async () => {
    expect(script.trimEnd().split('\n').length).toBeLessThanOrEqual(LINES);
    const house = await BackupHouse.fresh();
    await house.publish('iris', 'the first');
    await house.publish('iris', 'the second');
    await house.registry.stages.move('iris', 1, 'production', { actor: 'ada' });
    const { id, manifest } = await house.take();
    await house.registry.stages.move('iris', 2, 'production', { actor: 'ada' });
    const env = { PATH: process.env.PATH, BACKUPS_DIR: house.backups, TMPDIR: house.root };
    const said = execFileSync('sh', ['-euc', script], { env, encoding: 'utf8' });
    expect(said).toContain(`${id}.json`);
    expect(said).toContain('log/00000000000000000001.json');
    expect(said).toContain('iris production=1 versions=[1,2]');
    expect(said).toContain('restored-model.onnx: OK');
    expect(readFileSync(join(house.root, 'restored-model.onnx'), 'utf8')).toBe('the first');
    expect(said.trimEnd().split('\n').at(-1)).toContain('"kind":"stage.changed"');
    expect(manifest).toHaveLength(64);
    await house.remove();
  });

  it('names every reason and every problem that there is', () => {
    for (const word of [...REASONS, ...TAKING, ...PROBLEMS]) expect(document).toContain(`\`${word}\``);
  });
});
