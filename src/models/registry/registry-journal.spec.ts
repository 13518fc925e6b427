import { Logger } from '@nestjs/common';
import { CorrelationContext } from '../../logging/correlation-context';
import {
  type Checkpoint,
  type EventFields,
  EventLog,
  type LogEntry,
  LOG_START,
  type LogPosition,
  type StoredEvent,
} from '../../storage/event-log.port';
import { MemoryBlobStore } from '../../storage/memory-blob.store';
import { MemoryEventLog } from '../../storage/memory-event.log';
import type { StorageKeeper } from '../../storage/storage-keeper.service';
import { CommitUncertain, NoSpace } from '../../storage/storage.errors';
import { type Decision, RegistryJournal } from './registry-journal';
import { RegistryState } from './registry-state';

/** A process of its own on a log that others write too. */
function processOn(log: EventLog) {
  const state = new RegistryState();
  return { state, journal: new RegistryJournal(log, state, new MemoryBlobStore()) };
}

async function started(log: EventLog) {
  const one = processOn(log);
  await one.journal.onModuleInit();
  return one;
}

async function eventsOf(log: EventLog): Promise<readonly StoredEvent[]> {
  const events: StoredEvent[] = [];
  for await (const { event } of log.read(LOG_START)) events.push(event);
  return events;
}

/** The next version of a model, as a decision makes it: from the state. */
function nextVersion(state: RegistryState, model: string): Decision {
  const version = (state.find(model)?.highest ?? 0) + 1;
  const digests = { digest: `digest ${version}`, executable: `executable ${version}` };
  const signature = { inputs: [], outputs: [] };
  return { kind: 'version.published', model, version, manifest: { files: [], metadata: {} }, ...digests, engine: 'onnx', signature };
}

function versionsOf(state: RegistryState, model: string): readonly number[] {
  return [...state.require(model).versions.keys()];
}

/** Writes, but says that the disk did not confirm it: once, at the event of this number. Then only `settle` helps. */
class ShakyLog extends MemoryEventLog {
  private shaken = false;
  settled = 0;

  constructor(
    private readonly at: number,
    private settlesAfter = 1,
  ) {
    super();
  }

  override get uncertain(): boolean {
    return this.shaken;
  }

  override async append(after: LogPosition, fields: EventFields): Promise<LogEntry> {
    if (this.shaken) throw new CommitUncertain(after.seq);
    const entry = await super.append(after, fields);
    if (entry.position.seq !== this.at) return entry;
    this.shaken = true;
    throw new CommitUncertain(entry.position.seq);
  }

  override async settle(): Promise<void> {
    if (--this.settlesAfter > 0) throw new CommitUncertain(this.at);
    this.settled++;
    this.shaken = false;
  }
}

/** A volume without room, for as long as it is told. */
class FullLog extends MemoryEventLog {
  full = false;

  override async append(after: LogPosition, fields: EventFields): Promise<LogEntry> {
    if (this.full) throw new NoSpace();
    return super.append(after, fields);
  }
}

/** A log as a process sees it that others overtake: `overtake` runs between its decision and its append. */
class RacedLog extends EventLog {
  constructor(
    private readonly log: EventLog,
    private readonly overtake: () => Promise<void>,
  ) {
    super();
  }

  get uncertain(): boolean {
    return this.log.uncertain;
  }

  async append(after: LogPosition, fields: EventFields): Promise<LogEntry> {
    await this.overtake();
    return this.log.append(after, fields);
  }

  read(after: LogPosition): AsyncIterable<LogEntry> {
    return this.log.read(after);
  }

  event(seq: number): Promise<StoredEvent> {
    return this.log.event(seq);
  }

  saveCheckpoint(checkpoint: Checkpoint): Promise<void> {
    return this.log.saveCheckpoint(checkpoint);
  }

  newestCheckpoint(): Promise<Checkpoint | undefined> {
    return this.log.newestCheckpoint();
  }

  settle(): Promise<void> {
    return this.log.settle();
  }
}

describe(RegistryJournal, () => {
  beforeAll(() => Logger.overrideLogger(false));

  describe('at a start', () => {
    it('makes an empty place a registry with a line of history of its own', async () => {
      const log = new MemoryEventLog();
      const { state } = await started(log);
      const [event, ...more] = await eventsOf(log);
      expect(more).toEqual([]);
      expect(event).toMatchObject({ seq: 1, kind: 'registry.created', actor: 'system', lineage: state.lineage });
      expect(event?.correlationId).toMatch(/^start-[0-9a-f-]{36}$/);
      expect(state.lineage).toMatch(/^[0-9a-f-]{36}$/);
    });

    it('gives another place another line', async () => {
      const [one, other] = [await started(new MemoryEventLog()), await started(new MemoryEventLog())];
      expect(one.state.lineage).not.toBe(other.state.lineage);
    });

    it('writes nothing where there is a registry, and knows what it holds', async () => {
      const log = new MemoryEventLog();
      const first = await started(log);
      await first.journal.commit('ada', () => nextVersion(first.state, 'iris'));
      const second = await started(log);
      expect(await eventsOf(log)).toHaveLength(2);
      expect(second.state.lineage).toBe(first.state.lineage);
      expect(versionsOf(second.state, 'iris')).toEqual([1]);
      expect(second.state.position).toEqual(first.state.position);
    });

    it('makes one registry of an empty place, however many start there at once', async () => {
      const log = new MemoryEventLog();
      const all = await Promise.all(Array.from({ length: 5 }, () => started(log)));
      expect(await eventsOf(log)).toHaveLength(1);
      expect(new Set(all.map(({ state }) => state.lineage)).size).toBe(1);
    });
  });

  it('says of an event who did it, and under which id', async () => {
    const log = new MemoryEventLog();
    const { journal, state } = await started(log);
    await CorrelationContext.run({ correlationId: 'upload-0001' }, () => journal.commit('ada', () => nextVersion(state, 'iris')));
    await journal.commit('bob', () => nextVersion(state, 'iris'));
    expect((await eventsOf(log)).slice(1)).toMatchObject([
      { seq: 2, actor: 'ada', correlationId: 'upload-0001' },
      { seq: 3, actor: 'bob', correlationId: 'none' },
    ]);
  });

  it('names the id of the work that asked for a change, not of the work that it waited for', async () => {
    const log = new MemoryEventLog();
    const { journal, state } = await started(log);
    const ids = ['request-1', 'request-2', 'request-3'];
    await Promise.all(
      ids.map((correlationId) => CorrelationContext.run({ correlationId }, () => journal.commit('ada', () => nextVersion(state, 'iris')))),
    );
    expect((await eventsOf(log)).slice(1).map(({ correlationId }) => correlationId)).toEqual(ids);
  });

  it('decides the changes of one process one after another, each on what the one before did', async () => {
    const log = new MemoryEventLog();
    const { journal, state } = await started(log);
    const decide = jest.fn(() => nextVersion(state, 'iris'));
    await Promise.all(Array.from({ length: 20 }, () => journal.commit('ada', decide)));
    expect(decide).toHaveBeenCalledTimes(20);
    expect(versionsOf(state, 'iris')).toEqual(Array.from({ length: 20 }, (_, at) => at + 1));
  });

  it('writes nothing where there is nothing to do', async () => {
    const log = new MemoryEventLog();
    const { journal } = await started(log);
    await journal.commit('ada', () => undefined);
    expect(await eventsOf(log)).toHaveLength(1);
  });

  it('decides on what others have written meanwhile', async () => {
    const log = new MemoryEventLog();
    const [here, there] = [await started(log), await started(log)];
    await there.journal.commit('bob', () => nextVersion(there.state, 'iris'));
    expect(here.state.find('iris')).toBeUndefined();
    await here.journal.commit('ada', () => nextVersion(here.state, 'iris'));
    expect(versionsOf(here.state, 'iris')).toEqual([1, 2]);
  });

  describe('in a race', () => {
    it('reads on and decides again when it loses', async () => {
      const log = new MemoryEventLog();
      const there = await started(log);
      let decisions = 0;
      const overtake = async () => {
        if (decisions <= 2) await there.journal.commit('bob', () => nextVersion(there.state, 'iris'));
      };
      const { journal, state } = processOn(new RacedLog(log, overtake));
      await journal.commit('ada', () => {
        decisions++;
        return nextVersion(state, 'iris');
      });
      expect(decisions).toBe(3);
      expect(versionsOf(state, 'iris')).toEqual([1, 2, 3]);
      expect((await eventsOf(log)).slice(1).map(({ actor }) => actor)).toEqual(['bob', 'bob', 'ada']);
    });

    it('leaves it at that where the winner has done what was wanted', async () => {
      const log = new MemoryEventLog();
      const there = await started(log);
      const once = (state: RegistryState) => () => (state.find('iris') === undefined ? nextVersion(state, 'iris') : undefined);
      const { journal, state } = processOn(new RacedLog(log, () => there.journal.commit('bob', once(there.state))));
      await journal.commit('ada', once(state));
      expect((await eventsOf(log)).slice(1).map(({ actor }) => actor)).toEqual(['bob']);
      expect(versionsOf(state, 'iris')).toEqual([1]);
    });

    it('gives the caller what the second decision throws', async () => {
      const log = new MemoryEventLog();
      const there = await started(log);
      const { journal, state } = processOn(new RacedLog(log, () => there.journal.commit('bob', () => nextVersion(there.state, 'iris'))));
      const decide = () => {
        if (state.find('iris') !== undefined) throw new Error('taken');
        return nextVersion(state, 'iris');
      };
      await expect(journal.commit('ada', decide)).rejects.toThrow('taken');
      expect(await eventsOf(log)).toHaveLength(2);
    });

    it('leaves no gap and gives no number twice, however many decide at once in two processes', async () => {
      const log = new MemoryEventLog();
      const processes = [await started(log), await started(log)] as const;
      const commits = Array.from({ length: 50 }, (_, at) => {
        const { journal, state } = processes[at % 2] as (typeof processes)[number];
        return journal.commit(`writer ${at % 2}`, () => nextVersion(state, at % 3 === 0 ? 'iris' : 'price'));
      });
      await Promise.all(commits);
      const events = await eventsOf(log);
      expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: 51 }, (_, at) => at + 1));
      expect(new Set(events.map(({ actor }) => actor))).toEqual(new Set(['system', 'writer 0', 'writer 1']));
      for (const { journal, state } of processes) {
        await journal.commit('reader', () => undefined);
        expect(versionsOf(state, 'iris')).toEqual(Array.from({ length: 17 }, (_, at) => at + 1));
        expect(versionsOf(state, 'price')).toEqual(Array.from({ length: 33 }, (_, at) => at + 1));
      }
      expect(processes[0].state.position).toEqual(processes[1].state.position);
    });
  });

  describe('when something fails', () => {
    it('writes nothing where a decision throws, and takes the next one', async () => {
      const log = new MemoryEventLog();
      const { journal, state } = await started(log);
      const outcomes = await Promise.allSettled([
        journal.commit('ada', () => nextVersion(state, 'iris')),
        journal.commit('ada', () => {
          throw new Error('no such version');
        }),
        journal.commit('ada', () => nextVersion(state, 'iris')),
      ]);
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      expect(outcomes[1]).toMatchObject({ reason: { message: 'no such version' } });
      expect(versionsOf(state, 'iris')).toEqual([1, 2]);
    });

    it('tells the caller that the volume is full, changes nothing, and goes on when there is room', async () => {
      const log = new FullLog();
      const { journal, state } = await started(log);
      log.full = true;
      await expect(journal.commit('ada', () => nextVersion(state, 'iris'))).rejects.toMatchObject({ code: 'NO_SPACE' });
      expect(state.find('iris')).toBeUndefined();
      log.full = false;
      await journal.commit('ada', () => nextVersion(state, 'iris'));
      expect(versionsOf(state, 'iris')).toEqual([1]);
    });

    it('knows an event that is written although the disk did not confirm it, and tells the caller of the doubt', async () => {
      const log = new ShakyLog(2);
      const { journal, state } = await started(log);
      await expect(journal.commit('ada', () => nextVersion(state, 'iris'))).rejects.toBeInstanceOf(CommitUncertain);
      expect(versionsOf(state, 'iris')).toEqual([1]);
      expect(state.position.seq).toBe(2);
      expect(log.settled).toBe(1);
      await journal.commit('ada', () => nextVersion(state, 'iris'));
      expect(versionsOf(state, 'iris')).toEqual([1, 2]);
    });

    it('decides nothing while the disk does not confirm, and goes on when it does', async () => {
      const log = new ShakyLog(2, 3);
      const { journal, state } = await started(log);
      const decide = jest.fn(() => nextVersion(state, 'iris'));
      await expect(journal.commit('ada', decide)).rejects.toBeInstanceOf(CommitUncertain);
      expect(versionsOf(state, 'iris')).toEqual([1]);
      await expect(journal.commit('ada', decide)).rejects.toMatchObject({ code: 'READ_ONLY', kind: 'unavailable' });
      expect(decide).toHaveBeenCalledTimes(1);
      await journal.commit('ada', decide);
      expect(log.settled).toBe(1);
      expect(versionsOf(state, 'iris')).toEqual([1, 2]);
      expect(await eventsOf(log)).toHaveLength(3);
    });

    it('starts on a log that a newer version wrote to, and takes no changes', async () => {
      const log = new MemoryEventLog();
      await log.append(LOG_START, { kind: 'from.the.future', actor: 'system', correlationId: 'start-0001' });
      const { journal, state } = await started(log);
      expect(journal.readOnlyReason).toContain('"from.the.future"');
      await expect(journal.commit('ada', () => nextVersion(state, 'iris'))).rejects.toMatchObject({ code: 'READ_ONLY' });
      expect(await eventsOf(log)).toHaveLength(1);
    });
  });

  describe('checkpoints', () => {
    /** Commits as many versions as it takes for the log to end at event `seq`. */
    async function growTo(seq: number, { journal, state }: Awaited<ReturnType<typeof started>>): Promise<void> {
      while (state.position.seq < seq) await journal.commit('ada', () => nextVersion(state, `model-${state.position.seq % 7}`));
    }

    /** What a start makes of a log, with and without its checkpoints, and after which event it began to read. */
    async function starts(log: EventLog) {
      const read = jest.spyOn(log, 'read');
      const withThem = await started(log);
      const from = read.mock.calls[0]?.[0].seq;
      const forgetful = new RacedLog(log, async () => {});
      forgetful.newestCheckpoint = async () => undefined;
      const withoutThem = await started(forgetful);
      read.mockRestore();
      return { withThem: withThem.state, withoutThem: withoutThem.state, from };
    }

    it.each(Array.from({ length: 25 }, (_, seed) => seed))(
      'make a start equal to one from nothing, whatever happened (history %i)',
      async (seed) => {
        const random = randomFrom(seed);
        const below = (limit: number) => Math.floor(random() * limit);
        const log = new MemoryEventLog();
        const { journal, state } = await started(log);
        let saved = 0;
        for (let step = 0; step < 60; step++) {
          if (below(15) === 0) {
            await journal.saveCheckpoint();
            saved = state.position.seq;
          }
          await journal.commit(`writer ${below(3)}`, () => anyDecision(state, below));
        }
        const { withThem, withoutThem, from } = await starts(log);
        expect(from).toBe(saved);
        expect(withThem.snapshot()).toEqual(withoutThem.snapshot());
        expect(withThem.snapshot()).toEqual(state.snapshot());
        expect(withThem.position).toEqual(withoutThem.position);
        for (const { name, production } of withThem.list()) {
          expect(production).toBe(production && withThem.requireVersion(name, production.version));
        }
      },
    );

    it('are written every thousand events', async () => {
      const log = new MemoryEventLog();
      const save = jest.spyOn(log, 'saveCheckpoint');
      const one = await started(log);
      await growTo(999, one);
      expect(save).not.toHaveBeenCalled();
      await growTo(2005, one);
      expect(save.mock.calls.map(([{ position }]) => position.seq)).toEqual([1000, 2000]);
      expect((await starts(log)).from).toBe(2000);
    });

    it('are written at a start that had to read a thousand events or more, but not at every start', async () => {
      const log = new MemoryEventLog();
      const quiet = new RacedLog(log, async () => {});
      quiet.saveCheckpoint = async () => {};
      await growTo(1003, await started(quiet));
      const save = jest.spyOn(log, 'saveCheckpoint');
      await started(log);
      expect(save.mock.calls.map(([{ position }]) => position.seq)).toEqual([1003]);
      const again = await started(log);
      await growTo(1100, again);
      expect(save).toHaveBeenCalledTimes(1);
    });

    it('that cannot be written harm nothing, and are not tried at every event', async () => {
      const log = new MemoryEventLog();
      const save = jest.spyOn(log, 'saveCheckpoint').mockRejectedValue(new NoSpace());
      const one = await started(log);
      await growTo(1500, one);
      expect(save).toHaveBeenCalledTimes(1);
      expect((await starts(log)).from).toBe(0);
    });

    it('are never written of a log that a newer version wrote to: a start from one would take changes again', async () => {
      const log = new MemoryEventLog();
      const warn = jest.spyOn(Logger.prototype, 'warn');
      const one = await started(log);
      await log.append(one.state.position, { kind: 'model.pinned', model: 'iris', actor: 'new', correlationId: 'c' });
      const quiet = new RacedLog(log, async () => {});
      let { position } = (await started(quiet)).state;
      for (let more = 0; more < 1000; more++) {
        position = (await log.append(position, { kind: 'blobs.condemned', digests: [], actor: 'new', correlationId: 'c' })).position;
      }
      for (let start = 0; start < 2; start++) {
        const { journal, state } = await started(log);
        expect(journal.readOnlyReason).toContain('"model.pinned"');
        await expect(journal.saveCheckpoint()).rejects.toMatchObject({ code: 'READ_ONLY' });
        await expect(journal.commit('ada', () => nextVersion(state, 'iris'))).rejects.toMatchObject({ code: 'READ_ONLY' });
      }
      expect(await log.newestCheckpoint()).toBeUndefined();
      expect(warn).not.toHaveBeenCalled();
      warn.mockRestore();
    });
  });

  describe('on a file system that is not safe', () => {
    /** A keeper that says so, as long as it is told to. */
    function keeper(safe: boolean) {
      return { prepare: jest.fn(async () => {}), selfTest: { safe } };
    }
    const processIn = (log: EventLog, kept: ReturnType<typeof keeper>) => {
      const state = new RegistryState();
      return { state, journal: new RegistryJournal(log, state, new MemoryBlobStore(), kept as unknown as StorageKeeper) };
    };

    it('has the file system tried before it reads the log', async () => {
      const log = new MemoryEventLog();
      const kept = keeper(true);
      const read = jest.spyOn(log, 'newestCheckpoint');
      await processIn(log, kept).journal.onModuleInit();
      expect(kept.prepare).toHaveBeenCalledTimes(1);
      expect(kept.prepare.mock.invocationCallOrder[0]).toBeLessThan(read.mock.invocationCallOrder[0] as number);
    });

    it('starts on what is there, and goes on reading what others write, but takes no changes', async () => {
      const log = new MemoryEventLog();
      const elsewhere = await started(log);
      await elsewhere.journal.commit('bob', () => nextVersion(elsewhere.state, 'iris'));
      const { journal, state } = processIn(log, keeper(false));
      await journal.onModuleInit();
      expect(versionsOf(state, 'iris')).toEqual([1]);
      expect(journal.readOnlyReason).toBe('the file system lacks what the registry needs');
      const decide = jest.fn(() => nextVersion(state, 'iris'));
      await expect(journal.commit('ada', decide)).rejects.toMatchObject({ code: 'READ_ONLY', kind: 'unavailable' });
      expect(decide).not.toHaveBeenCalled();
      await elsewhere.journal.commit('bob', () => nextVersion(elsewhere.state, 'iris'));
      expect(await journal.readOn()).toBe(3);
      expect(versionsOf(state, 'iris')).toEqual([1, 2]);
      expect(await eventsOf(log)).toHaveLength(3);
    });

    it('makes no registry of an empty place, and makes it with the first change once it is safe', async () => {
      const log = new MemoryEventLog();
      const kept = keeper(false);
      const { journal, state } = processIn(log, kept);
      await journal.onModuleInit();
      await expect(journal.commit('ada', () => nextVersion(state, 'iris'))).rejects.toMatchObject({ code: 'READ_ONLY' });
      expect(await eventsOf(log)).toEqual([]);
      kept.selfTest.safe = true; // a later test found room
      expect(journal.readOnlyReason).toBeUndefined();
      await journal.commit('ada', () => nextVersion(state, 'iris'));
      expect((await eventsOf(log)).map(({ kind, actor }) => `${kind} by ${actor}`)).toEqual([
        'registry.created by system',
        'version.published by ada',
      ]);
      expect(state.lineage).toMatch(/^[0-9a-f-]{36}$/);
    });
  });

  it('goes on reading while the disk does not confirm, and says why it takes no changes', async () => {
    const log = new ShakyLog(2, 4);
    const { journal, state } = await started(log);
    expect(journal.readOnlyReason).toBeUndefined();
    await expect(journal.commit('ada', () => nextVersion(state, 'iris'))).rejects.toBeInstanceOf(CommitUncertain);
    expect(journal.readOnlyReason).toBe('the disk did not confirm the last event');
    expect(await journal.readOn()).toBe(2);
    expect(versionsOf(state, 'iris')).toEqual([1]);
    await expect(journal.saveCheckpoint()).rejects.toMatchObject({ code: 'READ_ONLY' });
    for (let attempt = 0; attempt < 2; attempt++) {
      await expect(journal.commit('ada', () => undefined)).rejects.toMatchObject({ code: 'READ_ONLY' });
    }
    await journal.commit('ada', () => undefined);
    expect(journal.readOnlyReason).toBeUndefined();
  });

  it('goes on taking changes after a read that failed', async () => {
    const log = new MemoryEventLog();
    const { journal, state } = await started(log);
    jest.spyOn(log, 'read').mockImplementationOnce(() => {
      throw new Error('EIO');
    });
    await expect(journal.readOn()).rejects.toThrow('EIO');
    await journal.commit('ada', () => nextVersion(state, 'iris'));
    expect(versionsOf(state, 'iris')).toEqual([1]);
  });
});

/** Numbers from 0 to 1, the same for a seed in every run (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Something that may happen to a registry; published bytes repeat, and so do those that are condemned. */
function anyDecision(state: RegistryState, below: (limit: number) => number): Decision | undefined {
  const sha256 = String(below(8)).repeat(64);
  const models = state.list();
  const model = models[below(models.length)];
  const kind = below(10);
  if (model === undefined || kind < 4) {
    const name = `model-${below(4)}`;
    return { ...nextVersion(state, name), manifest: { files: [{ path: 'm', size: 1, sha256 }], metadata: {} } } as Decision;
  }
  if (kind === 4) return { kind: 'model.described', model: model.name, description: `text ${below(3)}`, tags: [`tag ${below(3)}`] };
  if (kind === 5) return { kind: 'blobs.condemned', digests: [sha256] };
  const stage = (['production', 'production', 'staging', 'archived'] as const)[below(4)] as 'production';
  return { kind: 'stage.changed', model: model.name, version: [...model.versions.keys()][below(model.versions.size)] as number, stage };
}
