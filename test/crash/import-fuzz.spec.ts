import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EngineSupervisor } from '../../src/runtime/hosts/engine-supervisor';
import { HostLauncher } from '../../src/runtime/hosts/host-launcher';
import { HostRuntime } from '../../src/runtime/host.runtime';
import type { ImportReport } from '../../src/runtime/model-runtime.port';
import { endOwnHosts } from '../process/processes';
import { FUZZ_CONFIG, fuzzImports } from './import-fuzz';
import { describeImports } from './import-fuzz-suite';

describeImports(1000, 240_000);

describe('the harness for damaged files', () => {
  const left: string[] = [];
  afterEach(() => {
    endOwnHosts();
    for (const folder of left.splice(0)) rmSync(folder, { recursive: true });
  });

  const launcher = new HostLauncher(FUZZ_CONFIG);
  const supervisor = new EngineSupervisor(FUZZ_CONFIG, launcher);

  class Throws extends HostRuntime {
    override async import(): Promise<ImportReport> {
      throw new TypeError('planted');
    }
  }
  class AcceptsAll extends HostRuntime {
    override async import(): Promise<ImportReport> {
      return { signature: { inputs: [], outputs: [] } } as unknown as ImportReport;
    }
  }
  class LeavesHosts extends HostRuntime {
    override import(...args: Parameters<HostRuntime['import']>): Promise<ImportReport> {
      launcher.launch();
      return super.import(...args);
    }
  }
  class LeavesFolders extends HostRuntime {
    override import(...args: Parameters<HostRuntime['import']>): Promise<ImportReport> {
      left.push(mkdtempSync(join(tmpdir(), 'analytics-api-host-')));
      return super.import(...args);
    }
  }

  it.each([
    ['throws what is no answer', Throws, /^threw TypeError: planted: /],
    ['takes every file', AcceptsAll, /^accepted in spite of ".+": /],
    ['leaves hosts behind', LeavesHosts, /^not within 5000 ms: no host runs$/],
    ['leaves folders behind', LeavesFolders, /^not within 5000 ms: no folder of a host is left$/],
  ])(
    'finds a runtime that %s',
    async (_, Faulty, finding) => {
      const { findings } = await fuzzImports(new Faulty(supervisor, launcher, FUZZ_CONFIG), 1, 12);
      expect(findings).toContainEqual(expect.stringMatching(finding));
    },
    60_000,
  );
});
