import { RegistryChanges } from '../../src/models/registry/registry-changes';
import { RegistryFollower } from '../../src/models/registry/registry-follower';
import type { RegistrySnapshot } from '../../src/models/registry/registry-snapshot';
import { RegistryState } from '../../src/models/registry/registry-state';
import { VersionStages } from '../../src/models/registry/version-stages';
import { ModelCatalog } from '../../src/models/serving/model-catalog';
import type { StoredEvent } from '../../src/storage/event-log.port';
import { FIRST_SEED, Trials } from './registry-model-suite';

const PATIENCE_MS = 180_000;
/** Enough for each of the faults below, from any seed. */
const TO_FIND = 200;

describe(`the registry against a model of it, SEED=${FIRST_SEED}`, () => {
  const trials = new Trials();
  afterAll(() => trials.dispose());
  afterEach(() => jest.restoreAllMocks());

  it('never differs in 500 random lives', async () => expect(await trials.firstDifference(500)).toBeUndefined(), PATIENCE_MS);
  it('nor in 10 on files', async () => expect(await trials.firstDifference(10, trials.onFiles)).toBeUndefined(), PATIENCE_MS);

  /** Has the fold make one kind of event true in another way. */
  function misfold(kind: string, fault: (state: RegistryState, event: { readonly model: string } & StoredEvent) => void): void {
    const { fold } = RegistryState.prototype;
    jest.spyOn(RegistryState.prototype, 'fold').mockImplementation(function (this: RegistryState, event) {
      fold.call(this, event);
      if (event.kind === kind) fault(this, event as { readonly model: string } & StoredEvent);
    });
  }

  /** Has checkpoints lose something. */
  function forget(fault: (model: RegistrySnapshot['models'][number]) => RegistrySnapshot['models'][number]): void {
    const { snapshot } = RegistryState.prototype;
    jest.spyOn(RegistryState.prototype, 'snapshot').mockImplementation(function (this: RegistryState) {
      const whole = snapshot.call(this);
      return { ...whole, models: whole.models.map(fault) };
    });
  }

  const FAULTS: Readonly<Record<string, () => void>> = {
    'gives the number of a deleted version again': () =>
      misfold('version.deleted', (state, { model }) => {
        const record = state.findKnown(model)!;
        record.highest = Math.max(0, ...record.versions.keys());
        for (const version of record.deletedVersions.keys()) if (version > record.highest) record.deletedVersions.delete(version);
      }),
    'loses the stage of what is brought back': () =>
      misfold('version.undeleted', (state, { model, ['version']: version }) => {
        state.findKnown(model)!.versions.get(Number(version))!.stage = 'staging';
      }),
    'goes back to a deleted version': () => {
      jest.spyOn(VersionStages.prototype as never, 'pastOf').mockImplementation(function (this: { state: RegistryState }, model: never) {
        const { past } = this.state.require(model);
        return this.state.requireVersion(model, past.at(-1) ?? 0);
      } as never);
    },
    'leaves on the stack what it goes back to': () =>
      misfold('stage.changed', (state, { model, ['version']: version, ['rollback']: rollback }) => {
        if (rollback === true) state.findKnown(model)!.past.push(Number(version));
      }),
    'forgets keys with a restart': () => forget((model) => ({ ...model, done: [] })),
    'forgets what was deleted with a restart': () => forget((model) => ({ ...model, deletedVersions: [] })),
    'does not look at If-Match': () => {
      jest.spyOn(RegistryChanges.prototype as never, 'refuseStale').mockImplementation((() => {}) as never);
    },
    'lets every signature into production': () => {
      jest.spyOn(VersionStages.prototype as never, 'refuseBreak').mockImplementation((() => {}) as never);
    },
    'does not follow another process': () => {
      jest.spyOn(RegistryFollower.prototype, 'tick').mockResolvedValue();
    },
    'leaves in memory what it displaced': () => {
      jest.spyOn(ModelCatalog.prototype, 'settle').mockImplementation(async function (this: ModelCatalog, name, candidate) {
        const inside = this as unknown as { state: RegistryState; production: Map<string, unknown> };
        if (candidate?.record === inside.state.find(name)?.production && candidate) inside.production.set(name, candidate);
        else inside.production.delete(name);
      });
    },
  };

  it.each(Object.entries(FAULTS))('notices one that %s', async (_, plant) => {
    plant();
    expect(await trials.firstDifference(TO_FIND)).toMatch(/^SEED=\d+: /);
  }, PATIENCE_MS); // prettier-ignore
});
