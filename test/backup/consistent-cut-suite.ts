import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { summariesOf } from '../../src/backup/snapshot/registry-cut';
import { AppError } from '../../src/errors/app-error';
import { RegistryState } from '../../src/models/registry/registry-state';
import { LOG_START } from '../../src/storage/event-log.port';
import { FileBlobStore } from '../../src/storage/file-blob.store';
import { FileEventLog } from '../../src/storage/file-event.log';
import { RegistryHouse } from '../process/registry-house';
import { BackupHouse } from './backup-house';

const WRITERS = 8;
/** Between two changes of a writer: who takes snapshots in the same process wants to have a turn too. */
const PAUSE_MS = 40;
const MODELS = ['iris', 'mnist', 'wine'];

/** A process that changes the registry until it is told to end; each loses races, and decides again. */
class Writer {
  changes = 0;
  failures: unknown[] = [];
  private round = 0;

  constructor(
    private readonly house: RegistryHouse,
    private readonly number: number,
  ) {}

  async work(goesOn: () => boolean): Promise<void> {
    await this.house.journal.onModuleInit();
    while (goesOn()) {
      await sleep(PAUSE_MS);
      try {
        await this.change();
        this.changes++;
      } catch (error) {
        // what another writer made impossible meanwhile; anything else is a failed write
        if (!(error instanceof AppError) || error.kind === 'internal' || error.kind === 'unavailable') this.failures.push(error);
      }
    }
  }

  private async change(): Promise<unknown> {
    const { stages, deletion, collector, state } = this.house;
    const at = this.round++;
    const model = MODELS[(at + this.number) % MODELS.length] as string;
    const versions = [...(state.find(model)?.versions.keys() ?? [])];
    const version = versions[at % Math.max(1, versions.length)] ?? 1;
    const change = { actor: `writer ${this.number}` };
    switch (at % 6) {
      case 1:
        return stages.move(model, version, 'production', change);
      case 3:
        return deletion.deleteVersion(model, version, change);
      case 4:
        return this.number === 0 && collector.collect('collector', { minAgeMs: 0, undeleteMs: -1000 });
      default:
        return this.house.publish(model, `${this.number} ${at % 20} of ${model} `.repeat(100));
    }
  }
}

/** Takes snapshots while eight writers work, and replays each against what was really recorded. */
export function describeConsistentCuts(backups: number): void {
  beforeAll(() => Logger.overrideLogger(false));

  describe('snapshots beside eight writers, one of whom collects garbage', () => {
    it(`each are the registry at one event between their begin and their end, ${backups} of ${backups}`, async () => {
      const house = await BackupHouse.fresh();
      await house.publish('iris', 'the first');
      const writers = Array.from({ length: WRITERS }, (_, number) => {
        return new Writer(new RegistryHouse(new FileBlobStore(house.models), new FileEventLog(house.models)), number);
      });
      let goesOn = true;
      const working = writers.map((writer) => writer.work(() => goesOn));
      const cuts: { readonly id: string; readonly seq: number; readonly from: number; readonly to: number }[] = [];
      try {
        while (cuts.length < backups) {
          const from = await house.registry.journal.readOn();
          const { id, seq } = await house.take();
          cuts.push({ id, seq, from, to: await house.registry.journal.readOn() });
        }
      } finally {
        goesOn = false;
        await Promise.all(working);
      }
      expect(writers.flatMap(({ failures }) => failures)).toEqual([]);
      expect(Math.min(...writers.map(({ changes }) => changes))).toBeGreaterThan(0);
      expect(new Set(cuts.map(({ seq }) => seq)).size).toBeGreaterThan(backups / 2);
      for (const { id, seq, from, to } of cuts) {
        expect([seq >= from, seq <= to]).toEqual([true, true]);
        expect(await house.verifier.verify(id, { level: 'data' })).toMatchObject({ ok: true, findings: [] });
        const { objects, models } = await house.manifests.of(id);
        const segments = objects.filter(({ kind }) => kind === 'events');
        const saved = await Promise.all(segments.map(async (object) => text(house.objects.read(object))));
        expect(saved.join('')).toBe(await recorded(house.models, seq));
        expect(models).toEqual(await historyAt(house.models, seq));
      }
      await house.remove();
    }, 300_000);
  });
}

/** The registry's own files of the events up to `seq`, one a line. */
async function recorded(root: string, seq: number): Promise<string> {
  const names = Array.from({ length: seq }, (_, at) => `${String(at + 1).padStart(20, '0')}.json`);
  const lines = await Promise.all(names.map((name) => readFile(join(root, 'log', name), 'utf8')));
  return lines.map((line) => `${line}\n`).join('');
}

/** What the registry's own log makes of the first `seq` events. */
async function historyAt(root: string, seq: number): Promise<unknown> {
  const state = new RegistryState();
  for await (const entry of new FileEventLog(root).read(LOG_START)) {
    state.apply(entry);
    if (entry.position.seq === seq) break;
  }
  return JSON.parse(JSON.stringify(summariesOf(state)));
}
