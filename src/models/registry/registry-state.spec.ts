import { LOG_START, type LogPosition, type StoredEvent } from '../../storage/event-log.port';
import { sealEvent } from '../../storage/stored-event';
import type { RegistryEvent } from './registry-event';
import { RegistryState } from './registry-state';
import type { Decision } from './registry-journal';

/** A state, and a way to tell it what happened next. */
class History {
  readonly state = new RegistryState();
  private at: LogPosition = LOG_START;

  add(decision: Decision | (Pick<StoredEvent, 'kind'> & Record<string, unknown>)): this {
    const { entry } = sealEvent(this.at, { ...decision, actor: 'ada', correlationId: 'test-0001' }, new Date('2026-11-22T12:00:00.000Z'));
    this.at = entry.position;
    this.state.apply(entry);
    return this;
  }

  get position(): LogPosition {
    return this.at;
  }
}

const SIGNATURE = { inputs: [], outputs: [] };

function created(): Decision {
  return { kind: 'registry.created', lineage: 'line-1' };
}

function published(model: string, version: number): Decision {
  const manifest = { files: [{ path: 'model.onnx', size: version, sha256: 'a'.repeat(64) }], metadata: {} };
  const digests = { digest: `digest of ${model} ${version}`, executable: `executable of ${model} ${version}` };
  return { kind: 'version.published', model, version, manifest, ...digests, engine: 'onnx', signature: SIGNATURE };
}

function moved(model: string, version: number, stage: Extract<RegistryEvent, { kind: 'stage.changed' }>['stage']): Decision {
  return { kind: 'stage.changed', model, version, stage };
}

function stagesOf({ state }: History, model: string): Record<number, string> {
  return Object.fromEntries([...state.require(model).versions].map(([version, { stage }]) => [version, stage]));
}

describe(RegistryState, () => {
  it('tells who listens of every event from then on, once it is folded in', () => {
    const history = new History().add(created()).add(published('iris', 1));
    const heard: unknown[] = [];
    history.state.onApplied(
      ({ kind, seq }) => void heard.push([kind, seq, history.state.position.seq, history.state.find('iris')?.production?.version]),
    );
    history.add(moved('iris', 1, 'production')).add(published('iris', 2));
    expect(heard).toEqual([['stage.changed', 3, 3, 1], ['version.published', 4, 4, 1]]); // prettier-ignore
  });

  it('is empty before the first event', () => {
    const state = new RegistryState();
    expect(state.position).toEqual(LOG_START);
    expect(state.lineage).toBe('');
    expect(state.list()).toEqual([]);
  });

  it('takes its line of history from the first event', () => {
    const { state } = new History().add(created());
    expect(state.lineage).toBe('line-1');
    expect(state.list()).toEqual([]);
  });

  it('stands where the last event stands', () => {
    const history = new History().add(created()).add(published('iris', 1));
    expect(history.state.position).toEqual(history.position);
    expect(history.state.position).toMatchObject({ seq: 2, at: '2026-11-22T12:00:00.000Z' });
  });

  it('has a published version in staging, with who published it and when', () => {
    const { state } = new History().add(created()).add(published('iris', 1));
    expect(state.requireVersion('iris', 1)).toEqual({
      model: 'iris',
      version: 1,
      blob: 'a'.repeat(64),
      blobs: ['a'.repeat(64)],
      digest: 'digest of iris 1',
      executable: 'executable of iris 1',
      engine: 'onnx',
      manifest: { files: [{ path: 'model.onnx', size: 1, sha256: 'a'.repeat(64) }], metadata: {} },
      signature: SIGNATURE,
      publishedAt: '2026-11-22T12:00:00.000Z',
      publishedBy: 'ada',
      stage: 'staging',
    });
    expect(state.require('iris')).toMatchObject({ name: 'iris', description: '', tags: [], highest: 1, production: undefined });
  });

  it('archives the version that another one displaces from production', () => {
    const history = new History().add(published('iris', 1)).add(published('iris', 2)).add(published('iris', 3));
    history.add(moved('iris', 1, 'production')).add(moved('iris', 2, 'production'));
    expect(stagesOf(history, 'iris')).toEqual({ 1: 'archived', 2: 'production', 3: 'staging' });
    expect(history.state.require('iris').production).toBe(history.state.requireVersion('iris', 2));
    history.add(moved('iris', 1, 'production'));
    expect(stagesOf(history, 'iris')).toEqual({ 1: 'production', 2: 'archived', 3: 'staging' });
  });

  it.each(['staging', 'archived'] as const)('has no production version after it moved to %s', (stage) => {
    const history = new History()
      .add(published('iris', 1))
      .add(moved('iris', 1, 'production'))
      .add(moved('iris', 1, stage));
    expect(stagesOf(history, 'iris')).toEqual({ 1: stage });
    expect(history.state.require('iris').production).toBeUndefined();
  });

  it('leaves production alone when another version moves', () => {
    const history = new History()
      .add(published('iris', 1))
      .add(published('iris', 2))
      .add(moved('iris', 1, 'production'));
    history.add(moved('iris', 2, 'archived'));
    expect(stagesOf(history, 'iris')).toEqual({ 1: 'production', 2: 'archived' });
    expect(history.state.require('iris').production?.version).toBe(1);
  });

  it('keeps a version in production that is promoted again', () => {
    const history = new History()
      .add(published('iris', 1))
      .add(moved('iris', 1, 'production'))
      .add(moved('iris', 1, 'production'));
    expect(stagesOf(history, 'iris')).toEqual({ 1: 'production' });
    expect(history.state.require('iris').production?.version).toBe(1);
  });

  it('keeps models apart', () => {
    const history = new History().add(published('iris', 1)).add(published('price', 1));
    history.add(moved('iris', 1, 'production')).add(moved('price', 1, 'production'));
    expect(stagesOf(history, 'iris')).toEqual({ 1: 'production' });
    expect(stagesOf(history, 'price')).toEqual({ 1: 'production' });
  });

  it('never forgets the greatest number that it gave', () => {
    const history = new History().add(published('iris', 1)).add(published('iris', 7)).add(published('iris', 3));
    expect(history.state.require('iris').highest).toBe(7);
    expect([...history.state.require('iris').versions.keys()]).toEqual([1, 3, 7]);
  });

  it('describes a model without touching its versions', () => {
    const history = new History().add(published('iris', 1)).add(moved('iris', 1, 'production'));
    history.add({ kind: 'model.described', model: 'iris', description: 'Species of an iris', tags: ['example'] });
    expect(history.state.require('iris')).toMatchObject({ description: 'Species of an iris', tags: ['example'], highest: 1 });
    expect(stagesOf(history, 'iris')).toEqual({ 1: 'production' });
  });

  it('gives each model the number of the last event that touched it', () => {
    const history = new History().add(created()).add(published('iris', 1)).add(published('price', 1)).add(published('iris', 2));
    const seqOf = (model: string) => history.state.require(model).seq;
    expect([seqOf('iris'), seqOf('price')]).toEqual([4, 3]);
    history.add(moved('price', 1, 'production'));
    expect([seqOf('iris'), seqOf('price')]).toEqual([4, 5]);
    history.add({ kind: 'model.described', model: 'iris', description: '', tags: [] });
    expect([seqOf('iris'), seqOf('price')]).toEqual([6, 5]);
  });

  it('lists the models by name', () => {
    const { state } = new History().add(published('price', 1)).add(published('iris', 1)).add(published('a-b', 1)).add(published('a.b', 1));
    expect(state.list().map(({ name }) => name)).toEqual(['a-b', 'a.b', 'iris', 'price']);
  });

  it('names what it does not have', () => {
    const { state } = new History().add(published('iris', 1)).add(published('iris', 2));
    expect(state.find('price')).toBeUndefined();
    expect(state.find('constructor')).toBeUndefined();
    expect(() => state.require('price')).toThrow(
      expect.objectContaining({ code: 'MODEL_NOT_FOUND', details: { field: 'model', actual: 'price' } }),
    );
    expect(() => state.requireVersion('price', 1)).toThrow(expect.objectContaining({ code: 'MODEL_NOT_FOUND' }));
    const details = { field: 'version', expected: 'one of 1, 2', actual: '9' };
    expect(() => state.requireVersion('iris', 9)).toThrow(expect.objectContaining({ code: 'VERSION_NOT_FOUND', details }));
  });

  it('names the last twenty of many versions', () => {
    const history = new History();
    for (let version = 1; version <= 25; version++) history.add(published('iris', version));
    const expected = `one of ${Array.from({ length: 20 }, (_, at) => at + 6).join(', ')}`;
    expect(() => history.state.requireVersion('iris', 99)).toThrow(
      expect.objectContaining({ details: expect.objectContaining({ expected }) }),
    );
  });

  it.each(['version.painted', 'constructor', '__proto__', ''])(
    'goes on past an event of kind "%s", and names it: a newer version wrote it',
    (kind) => {
      const history = new History().add(created()).add(published('iris', 1)).add({ kind, model: 'iris' }).add({ kind: 'another' });
      expect(history.state.foreign).toEqual({ kind, seq: 3 });
      expect(history.state.position.seq).toBe(4);
      expect(stagesOf(history, 'iris')).toEqual({ 1: 'staging' });
    },
  );

  it.each([
    ['a model', 'price', 1],
    ['a version', 'iris', 9],
  ])('does not take an event about %s that was never published', (_, model, version) => {
    const history = new History().add(created()).add(published('iris', 1));
    const before = history.position;
    expect(() => history.add(moved(model, version, 'production'))).toThrow('no');
    expect(history.state.position).toEqual(before);
  });

  // the registry is damaged then: it is nothing that a caller asked for
  it('calls the log damaged where an event moves a model that was never published', () => {
    const history = new History().add(created());
    expect(() => history.add(moved('iris', 1, 'production'))).toThrow(expect.objectContaining({ code: 'LOG_DAMAGED' }));
  });

  it('calls the log damaged where an event moves a version that was never published', () => {
    const history = new History().add(created()).add(published('iris', 1));
    expect(() => history.add(moved('iris', 9, 'production'))).toThrow(expect.objectContaining({ code: 'LOG_DAMAGED' }));
  });

  it('makes up no model when it does not trust an event', () => {
    const history = new History().add(created()).add(published('iris', 1));
    expect(() => history.add(moved('price', 1, 'production'))).toThrow('price');
    expect(history.state.list().map(({ name }) => name)).toEqual(['iris']);
  });

  describe('an event that lacks what its kind has', () => {
    it.each([
      ['version.published', { model: 'price', version: 1 }],
      ['version.published', { model: 'price', version: 1, manifest: {} }],
      ['version.published', { model: 'price', version: 1, manifest: null }],
      ['blobs.condemned', {}],
      ['blobs.condemned', { digests: 7 }],
    ])('is damage (%s %j), and makes nothing up', (kind, members) => {
      const history = new History().add(created()).add(published('iris', 1));
      const before = history.position;
      expect(() => history.add({ kind, ...members })).toThrow(
        expect.objectContaining({
          code: 'LOG_DAMAGED',
          message: expect.stringContaining(`Event 3 of the log cannot be trusted: it lacks`),
        }),
      );
      expect(history.state.position).toEqual(before);
      expect(history.state.list().map(({ name }) => name)).toEqual(['iris']);
    });
  });

  describe('the names of blobs', () => {
    const DIGEST = 'a'.repeat(64);
    const condemned = (...digests: readonly string[]): Decision => ({ kind: 'blobs.condemned', digests });

    it('are the digests of their bytes', () => {
      const { state } = new History().add(created()).add(published('iris', 1));
      expect(state.blobName(DIGEST)).toBe(DIGEST);
      expect(state.requireVersion('iris', 1).blob).toBe(DIGEST);
      expect(state.referenced()).toEqual(new Set([DIGEST]));
    });

    it('have the number of the event that condemned them last, from then on', () => {
      const history = new History()
        .add(created())
        .add(condemned(DIGEST, 'b'.repeat(64)))
        .add(published('iris', 1));
      expect(history.state.blobName(DIGEST)).toBe(`${DIGEST}.2`);
      expect(history.state.blobName('b'.repeat(64))).toBe(`${'b'.repeat(64)}.2`);
      expect(history.state.blobName('c'.repeat(64))).toBe('c'.repeat(64));
      history.add(condemned(DIGEST)).add(published('iris', 2));
      expect(history.state.blobName(DIGEST)).toBe(`${DIGEST}.4`);
      expect([1, 2].map((version) => history.state.requireVersion('iris', version).blob)).toEqual([`${DIGEST}.2`, `${DIGEST}.4`]);
      expect(history.state.referenced()).toEqual(new Set([`${DIGEST}.2`, `${DIGEST}.4`]));
    });
  });

  describe('a snapshot', () => {
    const eventful = (): History =>
      new History()
        .add(created())
        .add(published('price', 7))
        .add({ kind: 'blobs.condemned', digests: ['a'.repeat(64), 'c'.repeat(64)] })
        .add(published('iris', 2))
        .add(published('iris', 1))
        .add(moved('iris', 1, 'production'))
        .add(moved('iris', 2, 'production'))
        .add({ kind: 'model.described', model: 'iris', description: 'grüße', tags: ['b', 'a'] })
        .add(published('never-promoted', 1))
        .add(moved('price', 7, 'archived'));
    /** As a checkpoint brings it back: through the text of a file. */
    const restored = ({ state }: History): RegistryState => {
      const copy = new RegistryState();
      copy.restore(JSON.parse(JSON.stringify(state.snapshot())), state.position);
      return copy;
    };

    it('brings everything back as it was, in the same order', () => {
      const history = eventful();
      const copy = restored(history);
      expect(copy.list()).toEqual(history.state.list());
      expect(copy.snapshot()).toEqual(history.state.snapshot());
      expect([...copy.require('iris').versions.keys()]).toEqual([1, 2]);
      expect(copy.position).toEqual(history.position);
      expect(copy.lineage).toBe('line-1');
      expect(copy.foreign).toBeUndefined();
      expect(copy.referenced()).toEqual(history.state.referenced());
      for (const digit of ['a', 'b', 'c']) expect(copy.blobName(digit.repeat(64))).toBe(history.state.blobName(digit.repeat(64)));
      expect(copy.blobName('a'.repeat(64))).toBe(`${'a'.repeat(64)}.3`);
    });

    // what is in production is compared by identity, and moved by changing its stage
    it('has in production the very version that it lists', () => {
      const copy = restored(eventful());
      expect(copy.require('iris').production).toBe(copy.requireVersion('iris', 2));
      expect(copy.require('never-promoted').production).toBeUndefined();
      expect(copy.require('price').production).toBeUndefined();
    });

    it('goes on as if nothing had happened', () => {
      const history = eventful();
      const copy = restored(history);
      const further = [moved('iris', 1, 'production'), published('price', 8), moved('price', 8, 'production'), published('new', 1)];
      let at = history.position;
      for (const decision of further) {
        const { entry } = sealEvent(at, { ...decision, actor: 'bob', correlationId: 'test-0002' }, new Date('2026-11-23T12:00:00.000Z'));
        at = entry.position;
        history.state.apply(entry);
        copy.apply(entry);
      }
      expect(copy.snapshot()).toEqual(history.state.snapshot());
      expect(copy.require('iris').production).toBe(copy.requireVersion('iris', 1));
      expect(copy.requireVersion('iris', 2).stage).toBe('archived');
    });

    it('shares nothing that changes with the state that it was restored to', () => {
      const history = eventful();
      const snapshot = history.state.snapshot();
      const copies = [new RegistryState(), new RegistryState()] as const;
      for (const copy of copies) copy.restore(snapshot, history.position);
      const before = JSON.stringify(snapshot);
      const { entry } = sealEvent(history.position, { ...moved('iris', 1, 'production'), actor: 'bob', correlationId: 'c' }, new Date());
      copies[0].apply(entry);
      for (const state of [copies[1], history.state]) expect(JSON.stringify(state.snapshot())).toBe(before);
    });

    it('of nothing is nothing', () => {
      expect(new RegistryState().snapshot()).toEqual({ lineage: '', condemned: [], restored: [], models: [] });
    });
  });

  describe('past production versions', () => {
    const stage = (version: number, to: 'production' | 'archived' | 'staging') => moved('iris', version, to);
    const back = (version: number): Decision => ({ kind: 'stage.changed', model: 'iris', version, stage: 'production', rollback: true });
    const history = (...decisions: readonly Decision[]): History => {
      const told = new History().add(created());
      for (const version of [1, 2, 3]) told.add(published('iris', version));
      for (const decision of decisions) told.add(decision);
      return told;
    };
    const pastOf = ({ state }: History) => [state.require('iris').production?.version, state.require('iris').past];

    it.each([
      ['nothing yet', [], [undefined, []]],
      ['the first', [stage(1, 'production')], [1, []]],
      ['one after another', [stage(1, 'production'), stage(2, 'production'), stage(3, 'production')], [3, [1, 2]]],
      ['the same twice', [stage(1, 'production'), stage(1, 'production')], [1, []]],
      ['to and fro', [stage(1, 'production'), stage(2, 'production'), stage(1, 'production')], [1, [1, 2]]],
      ['moved away', [stage(1, 'production'), stage(1, 'archived')], [undefined, [1]]],
      ['moved away and another', [stage(1, 'production'), stage(1, 'staging'), stage(2, 'production')], [2, [1]]],
      ['another archived', [stage(1, 'production'), stage(2, 'archived')], [1, []]],
      ['rolled back', [stage(1, 'production'), stage(2, 'production'), back(1)], [1, []]],
      ['rolled back twice', [stage(1, 'production'), stage(2, 'production'), stage(3, 'production'), back(2), back(1)], [1, []]],
      ['rolled back over one', [stage(1, 'production'), stage(2, 'production'), stage(3, 'production'), back(1)], [1, []]],
      ['rolled back and on', [stage(1, 'production'), stage(2, 'production'), back(1), stage(3, 'production')], [3, [1]]],
    ] as const)('%s', (_what, decisions, expected) => {
      const told = history(...decisions);
      expect(pastOf(told)).toEqual(expected);
      const again = new RegistryState();
      again.restore(JSON.parse(JSON.stringify(told.state.snapshot())) as ReturnType<RegistryState['snapshot']>, told.position);
      expect(again.snapshot()).toEqual(told.state.snapshot());
    });

    it('are kept a hundred deep', () => {
      const told = history();
      for (let turn = 0; turn < 103; turn++) told.add(stage((turn % 2) + 1, 'production'));
      expect(told.state.require('iris').past).toHaveLength(100);
    });
  });

  describe('aliases', () => {
    const point = (alias: string, version: number): Decision => ({ kind: 'alias.set', model: 'iris', alias, version });
    const told = () => new History().add(created()).add(published('iris', 1)).add(published('iris', 2));

    it('point where they were pointed last, until they are removed, and survive a checkpoint', () => {
      const history = told().add(point('champion', 1)).add(point('rival', 2)).add(point('champion', 2));
      expect([...history.state.require('iris').aliases]).toEqual([['champion', 2], ['rival', 2]]); // prettier-ignore
      history.add({ kind: 'alias.removed', model: 'iris', alias: 'rival' });
      const again = new RegistryState();
      again.restore(history.state.snapshot(), history.position);
      expect([...again.require('iris').aliases]).toEqual([['champion', 2]]);
    });

    it('touch their model', () => {
      const history = told().add(point('champion', 1));
      expect(history.state.require('iris').seq).toBe(history.position.seq);
    });

    it('of versions that were never published are damage', () => {
      expect(() => told().add(point('champion', 3))).toThrow(expect.objectContaining({ code: 'LOG_DAMAGED' }));
    });
  });
});
