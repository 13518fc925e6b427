import { LOG_START, type LogPosition, type StoredEvent } from '../storage/event-log.port';
import { sealEvent } from '../storage/stored-event';
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
    expect([...history.state.require('iris').versions.keys()]).toEqual([1, 7, 3]);
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
});
