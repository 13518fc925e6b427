import { join } from 'node:path';
import { fsck } from '../../src/models/upkeep/fsck';
import { holdsRegistry } from '../../src/storage/folder-inventory';
import { seenOf } from '../backup/seen-registry';
import { type Ack, checkRegistry, foldRegistry, type StepError } from './registry-check';
import type { Drivers } from './trace-driver';

/** What a folder of ROOT has before a restore, and after it: there is nothing in between. */
export class OldOrNew {
  private constructor(
    private readonly folder: string,
    private readonly old: string,
    private readonly restored: string,
  ) {}

  /** @param steps of backup-driver.cjs that restore something into the folder; nobody disturbs them here */
  static async of(drivers: Drivers, base: string, folder: string, steps: readonly string[]): Promise<OldOrNew> {
    const root = drivers.freshRoot(base);
    const old = await seenIn(root, folder);
    const { errors } = await drivers.run(root, steps);
    const restored = await seenIn(root, folder);
    drivers.remove(root);
    if (errors.length > 0 || restored === old) throw new Error(`nothing was restored: ${JSON.stringify(errors)}`);
    return new OldOrNew(folder, old, restored);
  }

  /** @returns a sentence for what is neither */
  async eitherIn(root: string): Promise<readonly string[]> {
    return [...(await refuse(await seenIn(root, this.folder), this.old, this.restored)), ...(await brokenIn(root, this.folder))];
  }

  /** @returns a sentence for what is not as it was restored */
  async newIn(root: string): Promise<readonly string[]> {
    return [...(await refuse(await seenIn(root, this.folder), this.restored)), ...(await brokenIn(root, this.folder))];
  }

  /** Who is told that nothing was restored finds nothing restored. @returns a sentence where it is otherwise */
  async toldIn(
    root: string,
    acks: readonly Ack[],
    errors: readonly (StepError & { readonly reason?: string })[],
  ): Promise<readonly string[]> {
    const { events } = await foldRegistry(join(root, this.folder));
    const done = events.filter(({ kind }) => kind === 'registry.restored').length;
    const told = acks.filter(({ ack }) => ack === 'restore' || ack === 'place').length;
    const unsure = errors.filter(({ reason }) => reason === 'uncertain').length;
    return done >= told && done <= told + unsure ? [] : [`${told} were told that it was restored, ${unsure} that nobody is sure: it was ${done} times`]; // prettier-ignore
  }
}

async function refuse(found: string, ...allowed: readonly string[]): Promise<readonly string[]> {
  return allowed.includes(found) ? [] : [`the registry is ${found}, and not ${allowed.join(' or ')}`];
}

/** All that callers see. */
async function seenIn(root: string, folder: string): Promise<string> {
  if (!(await holdsRegistry(join(root, folder)))) return 'not there';
  const { state } = await foldRegistry(join(root, folder));
  const gone = state.listDeleted().map(({ name, highest }) => [name, highest]);
  return JSON.stringify([seenOf(state), gone]);
}

/** What is there is whole, to whoever reads it from its files alone. */
async function brokenIn(root: string, folder: string): Promise<readonly string[]> {
  const place = join(root, folder);
  if (!(await holdsRegistry(place))) return [];
  const found: string[] = [];
  for await (const { severity, code, subject } of fsck(place, false)) if (severity !== 'note') found.push(`${code} ${subject}`);
  return [...found, ...(await checkRegistry(place))];
}

/** Of every restore that was acknowledged its event is in the log of the registry that it made, and that registry is whole. */
export async function checkRestores(root: string, ...streams: readonly (readonly Ack[])[]): Promise<readonly string[]> {
  const acks = streams.flat().filter(({ ack }) => ack === 'restore' || ack === 'place');
  const folders = new Set(['models', ...acks.map((ack) => folderOf(ack))]);
  const broken: string[] = [];
  for (const folder of folders) {
    broken.push(...(await brokenIn(root, folder)));
    const { events } = await foldRegistry(join(root, folder));
    for (const ack of acks.filter((each) => folderOf(each) === folder)) {
      const event = events[Number(ack['event']) - 1];
      const its = event?.kind === 'registry.restored' && event.snapshot === ack['id'];
      if (!its) broken.push(`lost: ${JSON.stringify(ack)}`);
    }
  }
  return broken;
}

function folderOf({ folder }: Ack): string {
  return typeof folder === 'string' ? folder : 'models';
}
