import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { linear } from '../onnx/models';
import { Servers } from '../process/server-process';
import { isOf, JUNK, JUNK_OF_ROOT, JunkedRegistry, type JunkKind, look, unlock } from './junk-kinds';
import { type Ack, checkRegistry, parseAcks, parseErrors } from './registry-check';

const DRIVER = join(__dirname, 'registry-driver.cjs');
const DRIVER_MS = 30_000;
const AT_ONCE = 3;
const ALL = process.getuid?.() === 0 ? [...JUNK, ...JUNK_OF_ROOT] : JUNK;

const folder = mkdtempSync(join(tmpdir(), 'analytics-api-junk-'));
const servers = new Servers();
afterAll(async () => {
  await servers.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** Lets a driver work on a registry. @returns what it acknowledged @throws where a step fails, or waits for ever */
async function drive(root: string, steps: readonly string[]): Promise<readonly Ack[]> {
  const child = spawn(process.execPath, [DRIVER, root, ...steps]);
  const late = setTimeout(() => child.kill('SIGKILL'), DRIVER_MS);
  let said = '';
  let wrong = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (wrong += text));
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  clearTimeout(late);
  const errors = parseErrors(said);
  if (code !== 0 || errors.length > 0) throw new Error(`${signal ?? code} after ${said}${wrong}`);
  return parseAcks(said);
}

const BEFORE = ['publish:a:one', 'publish:a:two:production', 'orphan:lost', 'checkpoint'];
const AFTER = ['publish:a:three', 'publish:b:one', 'promote:a:3', 'collect', 'checkpoint', 'orphan:lost', 'collect'];

let acksBefore: readonly Ack[];
beforeAll(async () => {
  acksBefore = await drive(join(folder, 'original'), BEFORE);
}, 60_000);

/** A copy of the registry with junk in it. */
function junked(
  name: string,
  kinds: readonly JunkKind[],
): { readonly root: string; readonly junk: readonly string[]; readonly looks: readonly string[] } {
  const root = join(folder, name);
  cpSync(join(folder, 'original'), root, { recursive: true });
  const junk = kinds.flatMap((kind) => kind.make(new JunkedRegistry(root)));
  return { root, junk, looks: junk.flatMap((path) => look(root, path)) };
}

/** Does everything with such a registry. @returns sentences: what did not work, and what became of the junk */
async function faultsOf(name: string, kinds: readonly JunkKind[]): Promise<readonly string[]> {
  const { root, junk, looks } = junked(name, kinds);
  try {
    const acks = await drive(root, AFTER);
    const changed = changes(root, junk, looks);
    unlock(root, junk);
    const violations = await checkRegistry(root, acksBefore, acks);
    const collected = acks.filter(({ ack }) => ack === 'collect').map(({ condemned }) => (condemned as readonly string[]).length);
    return [
      ...(acks.map(({ ack }) => ack).join() === 'open,publish,publish,promote,collect,checkpoint,orphan,collect'
        ? []
        : [`said ${JSON.stringify(acks)}`]),
      ...(collected.join() === '1,1' ? [] : [`${collected.join()} blobs were collected`]),
      ...violations.filter((violation) => !isOf(junk, violation.replace(/ is no blob and no event$/, ''))),
      ...changed,
    ];
  } catch (error) {
    return [String(error)];
  } finally {
    unlock(root, junk);
    rmSync(root, { recursive: true, force: true });
  }
}

/** What became of the junk, and what the registry left beside it. */
function changes(root: string, junk: readonly string[], looks: readonly string[]): readonly string[] {
  const now = new Set(junk.flatMap((path) => lookOrNothing(root, path)));
  const left = readdirSync(join(root, '.staging')).map((name) => join('.staging', name));
  return [
    ...looks.filter((before) => !now.has(before)).map((before) => `is changed or gone: ${before}`),
    ...left.filter((path) => !isOf(junk, path)).map((path) => `${path} was left`),
  ];
}

function lookOrNothing(root: string, path: string): readonly string[] {
  try {
    return look(root, path);
  } catch {
    return [];
  }
}

describe(`a folder of a registry with junk in it (${ALL.length} kinds${ALL === JUNK ? '; SKIPPED: devices, which only root may make' : ''})`, () => {
  const faults = new Map<JunkKind, readonly string[]>();

  beforeAll(async () => {
    const waiting = [...ALL.entries()];
    const lane = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
        faults.set(next[1], await faultsOf(`kind-${next[0]}`, [next[1]]));
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
  }, 240_000);

  it.each(ALL.map((kind) => [kind.what, kind] as const))(
    'opens, lists, publishes, promotes, collects, and leaves it alone: %s',
    (_what, kind) => {
      expect(faults.get(kind)).toEqual([]);
    },
  );

  it('opens, lists, publishes, promotes, collects, and leaves it alone: all of it together', async () => {
    expect(await faultsOf('together', ALL)).toEqual([]);
  }, 60_000);

  it('is served by a server as one without: all of it together', async () => {
    const { root, junk, looks } = junked('served', ALL);
    rmSync(join(root, 'log', '00000000000000000003.json')); // nothing is in production, for these are no models
    const server = await servers.start({ MODELS_DIR: root, EXAMPLES: 'off' });
    const listed = (await server.get('/api/v1/models')).body;
    await server.serve('double', linear([[2]]));
    const answer = await server.predict('double', { instances: [[21]] });
    await server.stop('SIGINT');
    const again = await servers.start({ MODELS_DIR: root, EXAMPLES: 'off' });
    const answerAgain = await again.predict('double', { instances: [[21]] });
    await again.stop('SIGINT');

    expect(listed.models.map(({ name }: { name: string }) => name)).toEqual(['a']);
    expect([answer, answerAgain]).toMatchObject(
      Array.from({ length: 2 }, () => ({ status: 200, body: { predictions: [{ prediction: 42 }] } })),
    );
    expect(changes(root, junk, looks)).toEqual([]);
    unlock(root, junk);
  }, 60_000);
});

describe('a name of the next event that is taken by what is no file', () => {
  it.each<readonly [string, (registry: JunkedRegistry, path: string) => void]>([
    ['a pipe', (registry, path) => registry.pipe(path)],
    ['a folder', (registry, path) => registry.folder(path)],
    ['a link into nowhere', (registry, path) => registry.link(path, 'gone')],
    ['a link to itself', (registry, path) => registry.link(path, path)],
    ['a socket', (registry, path) => registry.socket(path)],
  ])(
    'is damage, and told at once: %s',
    async (_what, make) => {
      const root = mkdtempSync(join(folder, 'taken-'));
      cpSync(join(folder, 'original'), root, { recursive: true });
      const next = `log/${String(readdirSync(join(root, 'log')).length + 1).padStart(20, '0')}.json`;
      make(new JunkedRegistry(root), next);
      const startedAt = performance.now();
      await expect(drive(root, ['publish:a:three'])).rejects.toThrow('LOG_DAMAGED');
      expect(performance.now() - startedAt).toBeLessThan(DRIVER_MS / 2);
    },
    60_000,
  );
});
