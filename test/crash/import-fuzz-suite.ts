import { EngineSupervisor } from '../../src/runtime/hosts/engine-supervisor';
import { HostLauncher } from '../../src/runtime/hosts/host-launcher';
import { HostRuntime } from '../../src/runtime/host.runtime';
import { endOwnHosts } from '../process/processes';
import { FUZZ_CONFIG, fuzzImports } from './import-fuzz';
import { Chance } from './power-cut-random';

/** Holds the import to its promise for damaged files. @param ms how long all of them may take */
export function describeImports(mutants: number, ms: number): void {
  const { seed } = Chance;

  describe(`the import of ${mutants} damaged files (CRASH_SEED=${seed})`, () => {
    afterAll(endOwnHosts);

    it(
      'gives a report or says that the file is none that can be served, nothing else, and leaves nothing behind',
      async () => {
        const launcher = new HostLauncher(FUZZ_CONFIG);
        const supervisor = new EngineSupervisor(FUZZ_CONFIG, launcher);
        const startedAt = performance.now();
        const { outcomes, findings, harmful } = await fuzzImports(new HostRuntime(supervisor, launcher, FUZZ_CONFIG), seed, mutants);
        console.log({ seed, seconds: Math.round((performance.now() - startedAt) / 1000), ...outcomes }, harmful.join('\n'));

        expect(findings).toEqual([]);
        for (const often of ['accepted', 'refused by the walk', 'refused by the engine'] as const) {
          expect(outcomes[often]).toBeGreaterThan(mutants / 50);
        }
        expect(Object.values(outcomes).reduce((sum, count) => sum + count, 0)).toBe(mutants);
      },
      ms,
    );
  });
}
