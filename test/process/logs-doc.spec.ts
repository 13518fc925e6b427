import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import ts from 'typescript';
import { RedisProcess } from '../cache/redis-process';
import type { LogLine } from '../e2e/test-app';
import { slowLoop } from '../onnx/models';
import { until } from './processes';
import { Servers } from './server-process';

const ROOT = join(__dirname, '..', '..');
const SRC = join(ROOT, 'src');
const doc = readFileSync(join(ROOT, 'docs', 'LOGS.md'), 'utf8');

/** As Nest's methods and as the lines call them. */
const LEVELS: Readonly<Record<string, string>> = {
  verbose: 'trace',
  debug: 'debug',
  log: 'info',
  warn: 'warn',
  error: 'error',
  fatal: 'fatal',
};

interface Told {
  readonly level: string;
  readonly context: string;
  readonly members: readonly string[];
}

const wordsIn = (cell: string): readonly string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, word]) => word as string);
const rowsOf = (pattern: RegExp): readonly RegExpExecArray[] => [...doc.matchAll(pattern)];

/** Members of every line, and of some: what they are, by the tables of members. */
const types = new Map(
  rowsOf(/^\| `(\w+)` \| (text|number|yes or no|object|list of texts) \| .+ \|$/gm).map(([, name, type]) => [name, type]),
);
/** The table of messages. */
const documented = rowsOf(/^\| `([^`]+)` \| (\w+) \| `(\w+)` \| ([^|]*) \| [^|]+ \|$/gm).map(
  ([, msg, level, context, members]): readonly [string, Told] => [
    msg as string,
    { level: level as string, context: context as string, members: wordsIn(members as string) },
  ],
);
const byMessage = new Map(documented);
const ofEveryLine = new Set(['level', 'time', 'msg', 'context', 'correlationId', 'traceId', 'spanId']);
const framework = new Set(wordsIn(/^Lines of the framework[^]*?\n\n/m.exec(doc)?.[0] ?? ''));

/** What the source says to a `Logger`: `[message, level, context, members as far as they are written out]`. */
function saidIn(path: string): readonly (readonly [string, string, string, readonly string[]])[] {
  const source = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.ES2023, true);
  const found: (readonly [string, string, string, readonly string[]])[] = [];
  const visit = (node: ts.Node): void => {
    if (
      ts.isCallExpression(node) &&
      ts.isPropertyAccessExpression(node.expression) &&
      node.expression.expression.getText().endsWith('logger')
    ) {
      const [message, fields] = node.arguments;
      const context = /new Logger\((\w+)\.name\)/.exec(source.text)?.[1] ?? 'none';
      const level = LEVELS[node.expression.name.text] ?? node.expression.name.text;
      if (message !== undefined) found.push([textOf(message), level, context, namesIn(fields)]);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

const textOf = (message: ts.Expression): string => (ts.isStringLiteralLike(message) ? message.text : `not a text: ${message.getText()}`);

function namesIn(fields: ts.Expression | undefined): readonly string[] {
  if (fields === undefined || !ts.isObjectLiteralExpression(fields)) return [];
  return fields.properties.flatMap(({ name }) => (name === undefined ? [] : name.getText()));
}

const said = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.spec.ts'))
  .flatMap((name) => saidIn(join(SRC, name)));

function typeOf(value: unknown): string {
  if (Array.isArray(value)) return value.every((each) => typeof each === 'string') ? 'list of texts' : 'list';
  return { string: 'text', boolean: 'yes or no' }[typeof value as string] ?? typeof value;
}

/** What of a line is not as the document says. */
function faultsOf(line: LogLine): readonly string[] {
  const { msg, level, context = 'none' } = line;
  if (framework.has(String(context))) return [];
  const told = byMessage.get(String(msg));
  if (told === undefined) return [`${String(context)}: ${String(msg)} is not in the document`];
  const where = [told.level === level ? [] : `level ${String(level)}`, told.context === context ? [] : `context ${String(context)}`].flat();
  const members = Object.entries(line).flatMap(([name, value]) => {
    if (!ofEveryLine.has(name) && !told.members.includes(name)) return `${name} is not in its row`;
    return types.get(name) === typeOf(value) ? [] : `${name} is a ${typeOf(value)}, not ${types.get(name)}`;
  });
  return [...where, ...members].map((fault) => `${String(msg)}: ${fault}`);
}

describe('docs/LOGS.md', () => {
  const servers = new Servers();
  const logDir = mkdtempSync(join(tmpdir(), 'analytics-api-logs-doc-'));
  let redis: RedisProcess;
  beforeAll(async () => {
    redis = await RedisProcess.start();
  });
  afterAll(async () => {
    await servers.remove();
    await redis.remove();
    rmSync(logDir, { recursive: true });
  });

  it('has every message of the source at its level, with its context and its members, and no other', () => {
    const own = documented.filter(([msg]) => msg !== 'request').map(([msg, { level, context }]) => [msg, level, context].join(' | '));
    expect(own.length).toBeGreaterThan(45);
    expect([...own].sort()).toEqual([...new Set(said.map(([msg, level, context]) => [msg, level, context].join(' | ')))].sort());
    const lacking = said.flatMap(([msg, , , members]) =>
      members.filter((name) => !byMessage.get(msg)?.members.includes(name)).map((name) => `${msg}: ${name}`),
    );
    expect(lacking).toEqual([]);
  });

  it('says of every member what it is, and of none that no line has', () => {
    const named = new Set([...ofEveryLine, ...documented.flatMap(([, { members }]) => members)]);
    expect([...types.keys()].sort()).toEqual([...named].sort());
  });

  it('is true of every line of a real server, from its start over failures to its end', async () => {
    const server = await servers.start({
      ...{
        LOG_LEVEL: 'trace',
        DRAIN_SECONDS: '0',
        REDIS_URL: redis.url,
        BACKUP_SCHEDULE: 'off',
        MODEL_ISOLATION: 'always',
        LOG_DIR: logDir,
      },
    });
    const asked = { 'X-Correlation-Id': 'order-4711' };
    const traced = { ...asked, traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' };
    await server.predict('iris', { features: [5.1, 3.5, 1.4, 0.2] }, traced);
    await server.predict('nobody', {}, traced);
    const form = new FormData();
    form.set('name', 'slow');
    form.set('stage', 'production');
    form.set('metadata', JSON.stringify({ deadlineMs: 100 }));
    form.set('file', new Blob([Uint8Array.from(slowLoop(100_000_000))]), 'model.onnx');
    expect((await server.ask('POST', '/api/v1/models', form)).status).toBe(201);
    expect((await server.predict('slow', { instances: [[1e9]] }, traced)).status).toBe(504);
    expect((await server.ask('PUT', '/api/v1/log-level', { level: 'trace', forSeconds: 60 })).status).toBe(200);
    expect((await server.ask('POST', '/api/v1/backups', {})).status).toBe(201);
    expect((await server.ask('POST', '/api/v1/backups/prune', {})).status).toBe(200);
    expect((await server.ask('POST', '/api/v1/backups/drill', {})).status).toBe(200);
    expect((await server.ask('PUT', '/api/v1/models/iris/aliases/champion', { version: 1 })).status).toBe(200);
    for (const what of ['unload', 'load']) await server.ask('POST', `/v2/repository/models/iris/${what}`, {}).catch(() => {}); // no JSON comes back
    await redis.remove();
    await until('Redis is missed', () => server.log.some(({ msg }) => String(msg).startsWith('redis is away')), 10_000);
    await sleep(100);
    await server.stop('SIGTERM');

    expect(JSON.parse(`[${/```json\n([^]*?)\n```/.exec(doc)?.[1]?.replaceAll('\n', ',')}]`).flatMap(faultsOf)).toEqual([]);
    const faults = new Set(server.log.flatMap(faultsOf));
    expect([...faults]).toEqual([]);
    const seen = new Set(server.log.map(({ msg }) => msg).filter((msg) => byMessage.has(String(msg))));
    expect(seen.size).toBeGreaterThan(15);
  }, 60_000);

  it('asks the files of that server questions that have answers', () => {
    const questions = [...doc.matchAll(/^jq .+$/gm)].map(([question]) => question);
    expect(questions.length).toBeGreaterThan(4);
    const env = { ...process.env, LOG_DIR: logDir };
    const silent = questions.filter(
      (question) => execFileSync('bash', ['-euo', 'pipefail', '-c', question], { env, encoding: 'utf8' }) === '',
    );
    expect(silent).toEqual([]);
  });
});
