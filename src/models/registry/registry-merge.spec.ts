import * as fc from 'fast-check';
import { LOG_START } from '../../storage/event-log.port';
import { hashOf, sealEvent } from '../../storage/stored-event';
import { type ModelDifference, modelDifference } from './registry-difference';
import { type Conflicts, type Merged, mergeSelected, mergeWhole } from './registry-merge';
import type { ModelRecord, VersionRecord } from './registry-records';
import type { RegistrySnapshot } from './registry-snapshot';
import { RegistryState } from './registry-state';

const RUNS = Number(process.env.MERGE_HISTORIES ?? 200);
const MODELS = ['iris', 'market'] as const;
const ALIASES = ['champion', 'shadow'] as const;
const BY = { actor: 'ada', correlationId: 'c' };

/** Something that somebody does, if it can be done. */
interface Wish {
  readonly what:
    'publish' | 'move' | 'alias' | 'unalias' | 'delete' | 'undelete' | 'delete model' | 'undelete model' | 'describe' | 'condemn';
  readonly model: (typeof MODELS)[number];
  readonly pick: number;
}

/** A registry that is made of events. */
class Line {
  readonly state = new RegistryState();

  constructor(readonly lineage: string) {
    this.say({ kind: 'registry.created', lineage });
  }

  copy(): Line {
    const line = new Line(this.lineage);
    Object.assign(line, { state: new RegistryState() });
    line.state.restore(JSON.parse(JSON.stringify(this.state.snapshot())) as RegistrySnapshot, this.state.position);
    return line;
  }

  say(fields: Readonly<Record<string, unknown>> & { readonly kind: string }, models?: Merged['models']): void {
    const from = this.state.position.seq === 0 ? LOG_START : this.state.position;
    this.state.apply(sealEvent(from, { ...fields, ...BY }, new Date()).entry, models);
  }

  wish({ what, model, pick }: Wish): void {
    const record = this.state.findKnown(model);
    const alive = record !== undefined && record.deletion === undefined;
    const versions = alive ? [...record.versions.keys()] : [];
    const version = versions[pick % versions.length];
    const gone = alive ? [...record.deletedVersions.keys()] : [];
    if (what === 'publish') return this.publish(model, `${this.lineage} ${model} ${pick}`, (record?.highest ?? 0) + 1);
    if (what === 'condemn') return this.say({ kind: 'blobs.condemned', digests: [hashOf(`${this.lineage} ${model} ${pick} x`)] });
    if (what === 'undelete model' && record !== undefined && !alive) return this.say({ kind: 'model.undeleted', model, versions: [] });
    if (what === 'undelete' && gone.length > 0) return this.say({ kind: 'version.undeleted', model, version: gone[pick % gone.length] });
    if (!alive) return;
    if (what === 'describe') return this.say({ kind: 'model.described', model, description: `${pick}`, tags: [] });
    if (what === 'delete model') return this.say({ kind: 'model.deleted', model });
    if (what === 'unalias') return this.say({ kind: 'alias.removed', model, alias: ALIASES[pick % 2] });
    if (version === undefined) return;
    if (what === 'alias') return this.say({ kind: 'alias.set', model, alias: ALIASES[pick % 2], version });
    if (what === 'move')
      return this.say({ kind: 'stage.changed', model, version, stage: ['staging', 'production', 'production', 'archived'][pick % 4] });
    if (what === 'delete' && record.production?.version !== version) this.say({ kind: 'version.deleted', model, version });
  }

  private publish(model: string, content: string, version: number): void {
    const manifest = { files: [{ path: 'model.onnx', size: 1, sha256: hashOf(content) }], metadata: {} };
    const signature = { inputs: [], outputs: [] };
    const digest = hashOf(JSON.stringify(manifest));
    this.say({ kind: 'version.published', model, version, digest, manifest, engine: 'onnx', executable: digest, signature });
  }
}

function visible(state: RegistryState): object {
  const seen = ({ description, tags, production, versions, aliases, past }: ModelRecord): object => ({
    description,
    tags,
    production: production?.version,
    versions: [...versions.values()].map(({ version, stage, digest }) => [version, stage, digest]),
    aliases: [...aliases].sort(),
    past,
  });
  return JSON.parse(JSON.stringify(Object.fromEntries(state.list().map((model) => [model.name, seen(model)])))) as object;
}

/** Everything that was ever uploaded and is known of: each version's artifact, whether it is there or deleted. */
function known(state: RegistryState): ReadonlySet<string> {
  const models = [...state.list(), ...state.listDeleted()];
  return new Set(
    models.flatMap(({ name, versions, deletedVersions }) =>
      [...versions.values(), ...[...deletedVersions.values()].map(({ record }) => record)].map(({ digest }) => `${name} ${digest}`),
    ),
  );
}

const wish: fc.Arbitrary<Wish> = fc.record({
  what: fc.constantFrom<Wish['what'][]>('publish', 'publish', 'publish', 'move', 'move', 'alias', 'unalias', 'delete', 'undelete', 'delete model', 'undelete model', 'describe', 'condemn'), // prettier-ignore
  model: fc.constantFrom(...MODELS),
  pick: fc.nat(11),
});
const wishes = fc.array(wish, { maxLength: 25 });

/** What is there, and what was there at some time: of the same line, or of one that went another way since, or of another registry. */
const pair = fc
  .tuple(wishes, wishes, wishes, fc.constantFrom('earlier', 'branch', 'other'))
  .map(([first, second, third, kind]): { current: Line; wanted: Line } => {
    const current = new Line('a');
    for (const each of first) current.wish(each);
    const wanted = kind === 'other' ? new Line('b') : current.copy();
    for (const each of second) current.wish(each);
    for (const each of kind === 'earlier' ? [] : third) wanted.wish(each);
    return { current, wanted };
  });

function deletionOf({ state }: Line): { readonly seq: number; readonly at: string; readonly by: string } {
  return { seq: state.position.seq + 1, at: '2026-11-23T10:00:00.000Z', by: 'ada' };
}

/** Restores, and looks whether what was planned is what happened. */
function carryOut(line: Line, { models }: Merged): void {
  const planned = models.map((model) => modelDifference(line.state.findKnown(model.name), model));
  const before = new Map(models.map(({ name }) => [name, line.copy().state.findKnown(name)]));
  line.say({ kind: 'registry.restored', snapshot: 's', state: hashOf('x'), stateBytes: 1 }, models);
  const happened = models.map(({ name }): ModelDifference | undefined =>
    modelDifference(before.get(name), line.state.findKnown(name) as ModelRecord),
  );
  expect(happened).toEqual(planned);
}

describe('two registries', () => {
  it('become one that is what the other was, and nothing is lost', () => {
    fc.assert(
      fc.property(pair, ({ current, wanted }) => {
        const [had, highest] = [known(current.state), new Map(MODELS.map((name) => [name, current.state.findKnown(name)?.highest ?? 0]))];
        carryOut(current, mergeWhole({ current: current.state, wanted: wanted.state, has: () => true, deletion: deletionOf(current) }));
        expect(visible(current.state)).toEqual(visible(wanted.state));
        const knows = known(current.state);
        expect([...had].filter((each) => !knows.has(each))).toEqual([]);
        for (const name of MODELS) {
          const { highest: now = 0, versions, deletedVersions } = current.state.findKnown(name) ?? {};
          expect(now).toBeGreaterThanOrEqual(Math.max(highest.get(name) ?? 0, wanted.state.findKnown(name)?.highest ?? 0));
          expect(Math.max(0, ...(versions?.keys() ?? []), ...(deletedVersions?.keys() ?? []))).toBeLessThanOrEqual(now);
          expect([...(versions?.keys() ?? [])].filter((number) => deletedVersions?.has(number))).toEqual([]);
        }
      }),
      { numRuns: RUNS },
    );
  });

  it('keep the very records of what is there before and after, so that nothing is loaded again', () => {
    fc.assert(
      fc.property(pair, ({ current, wanted }) => {
        const records = new Map(current.state.list().flatMap(({ versions }) => [...versions.values()].map((each) => [`${each.model} ${each.version} ${each.digest}`, each] as const))); // prettier-ignore
        current.say(
          { kind: 'registry.restored', snapshot: 's', state: hashOf('x'), stateBytes: 1 },
          mergeWhole({ current: current.state, wanted: wanted.state, has: () => true, deletion: deletionOf(current) }).models,
        );
        for (const { versions, production } of current.state.list()) {
          for (const each of versions.values()) {
            const before = records.get(`${each.model} ${each.version} ${each.digest}`);
            expect(before ?? each).toBe(each);
          }
          expect(versions.get(production?.version ?? 0)).toBe(production);
        }
      }),
      { numRuns: RUNS },
    );
  });

  it('are read from a checkpoint as they were folded', () => {
    fc.assert(
      fc.property(pair, wishes, ({ current, wanted }, more) => {
        carryOut(current, mergeWhole({ current: current.state, wanted: wanted.state, has: () => true, deletion: deletionOf(current) }));
        const copy = current.copy();
        for (const each of more) {
          current.wish(each);
          copy.wish(each);
        }
        expect(visible(copy.state)).toEqual(visible(current.state));
      }),
      { numRuns: RUNS },
    );
  });

  it('lose only versions whose bytes are lost, and those are deleted', () => {
    fc.assert(
      fc.property(pair, fc.nat(3), ({ current, wanted }, lost) => {
        const has = ({ manifest }: VersionRecord): boolean => Number.parseInt(manifest.files[0]?.sha256.slice(0, 2) ?? '', 16) % 4 !== lost;
        carryOut(current, mergeWhole({ current: current.state, wanted: wanted.state, has, deletion: deletionOf(current) }));
        for (const { name, versions, production } of wanted.state.list()) {
          const then = current.state.require(name);
          expect([...then.versions.keys()]).toEqual([...versions.values()].filter(has).map(({ version }) => version));
          expect(then.production?.version).toBe(production && has(production) ? production.version : undefined);
          for (const target of then.aliases.values()) expect(then.versions.has(target)).toBe(true);
        }
      }),
      { numRuns: RUNS },
    );
  });

  it('become one in a model that is chosen, and in no other', () => {
    const policy = fc.constantFrom<Conflicts[]>('skip', 'new-version', 'fail');
    fc.assert(
      fc.property(pair, policy, fc.option(fc.nat(5), { nil: undefined }), ({ current, wanted }, conflicts, pick) => {
        const there = wanted.state.find('iris');
        const versions = [...(there?.versions.values() ?? [])];
        if (versions.length === 0) return;
        const version = pick === undefined ? undefined : versions[pick % versions.length]?.version;
        const market = JSON.stringify(current.state.snapshot().models.filter(({ name }) => name === 'market'));
        const [had, before] = [known(current.state), current.copy().state.find('iris')];
        const merging = { current: current.state, wanted: wanted.state, has: () => true, deletion: deletionOf(current) };
        const merged = mergeSelected('iris', version, conflicts, merging);
        carryOut(current, merged);
        expect(JSON.stringify(current.state.snapshot().models.filter(({ name }) => name === 'market'))).toBe(market);
        const iris = current.state.require('iris');
        expect([...had].filter((each) => !known(current.state).has(each))).toEqual([]);
        // what was there is what it was
        for (const [number, { digest, stage }] of before?.versions ?? []) expect(iris.versions.get(number)).toMatchObject(before?.production === undefined ? { digest } : { digest, stage }); // prettier-ignore
        expect([undefined, iris.production?.version]).toContain(before?.production?.version);
        for (const [alias, target] of before?.aliases ?? []) expect(iris.aliases.get(alias)).toBe(target);
        // what was chosen is there, under its number or one of its own
        const digests = new Set([...iris.versions.values()].map(({ digest }) => digest));
        const chosen = versions.filter((each) => version === undefined || each.version === version);
        const missing = chosen.filter(({ digest }) => !digests.has(digest));
        const said = new Set(merged.conflicts.map(({ what }) => what));
        expect(missing.every((each) => conflicts !== 'new-version' && said.has(`version ${each.version}`))).toBe(true);
        expect(Math.max(...iris.versions.keys())).toBeLessThanOrEqual(iris.highest);
        expect([...iris.versions.keys()].filter((number) => iris.deletedVersions.has(number))).toEqual([]);
        for (const target of iris.aliases.values()) expect(iris.versions.has(target)).toBe(true);
        expect([...iris.versions.values()].filter(({ stage }) => stage === 'production')).toEqual(iris.production === undefined ? [] : [iris.production]); // prettier-ignore
      }),
      { numRuns: RUNS },
    );
  });
});
