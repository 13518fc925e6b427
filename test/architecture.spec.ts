import { readdirSync, readFileSync } from 'node:fs';
import { join, posix, sep } from 'node:path';
import ts from 'typescript';

/** The house, ground floor first. A room may import the rooms before it, never the ones after it. */
const FLOORS = [
  ...['errors', 'config', 'logging', 'metrics', 'wire', 'storage', 'auth', 'cache', 'runtime', 'models', 'inference', 'quality', 'backup'],
  ...['protocols', 'health', 'dashboard', 'http', 'cli', 'app.module', 'serve', 'main'],
];

/** The face of each room: what other rooms may import. A module file may be imported by another module file only. */
const FACES: Readonly<Record<string, readonly string[]>> = {
  errors: ['app-error', 'has-code', 'refuses.decorator'],
  config: ['app-config', 'config.errors', 'exposure', 'load-config', 'node-version', 'service'],
  logging: ['access-log', 'correlation-context', 'log-level', 'request-record'],
  metrics: ['counts', 'distribution', 'exposition', 'http-metrics'],
  wire: [
    'checked',
    'expectation',
    'json-body.interceptor',
    'json-scan',
    'may-be-absent.decorator',
    'pack-archive',
    'read-archive',
    'read-body',
    'read-json',
    'read-multipart',
    'sparing',
    'strict-json',
    'wire.errors',
  ],
  storage: [
    'blob-store.port',
    'derived-files',
    'durable-files',
    'event-log.port',
    'folder-inventory',
    'free-space',
    'new-log',
    'open-storage',
    'pieces',
    'regular-file',
    'staging-sweep',
    'storage-keeper.service',
    'storage.errors',
    'storage.metrics',
    'stored-event',
  ],
  auth: ['address', 'auth.errors', 'caller', 'key-office', 'key-records', 'key-ring', 'origin-rule', 'scope.decorator'],
  cache: ['single-flight', 'tiered-cache', 'value-form'],
  runtime: [
    'container-memory',
    'elements',
    'float32',
    'half',
    'installed-engines',
    'model-runtime.port',
    'open-engines',
    'runtime.errors',
    'tensor',
    'tensor-json',
  ],
  models: [
    'bring-up',
    'fsck',
    'golden-replay',
    'local-source',
    'model-catalog',
    'model-metadata',
    'model-name',
    'models.errors',
    'manifest',
    'registry-difference',
    'registry-event',
    'registry-journal',
    'registry-merge',
    'registry-records',
    'registry-state',
    'restored-models',
    'served-version',
    'version-blobs',
    'version-faults',
    'version-selector',
  ],
  inference: [
    'answered-calls',
    'call-statistics',
    'inference-call',
    'inference.errors',
    'inference.service',
    'non-finite',
    'prediction-cache.interceptor',
  ],
  backup: [
    'backup-journal',
    'chosen-snapshot',
    'drill-journal',
    'drill-report',
    'open-backups',
    'restore-plan',
    'restore-source',
    'restore.errors',
    'snapshot-manifest',
    'snapshot-records',
    'snapshot.errors',
  ],
  http: ['http-pipeline', 'http.adapter'],
  cli: ['command-line'],
};

/** Only what an engine host that runs its models loads. */
const TFJS = ['graph-network', 'layers-network', 'network', 'tfjs-engine', 'tfjs-model', 'tfjs-tensors', 'weight-budget'].map(
  (name) => `runtime/tfjs/${name}`,
);

const SRC = join(__dirname, '..', 'src');

interface SourceFile {
  readonly path: string; // 'models/serving/model-catalog'
  readonly text: string;
  readonly imports: readonly string[];
}

const files: readonly SourceFile[] = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.spec.ts'))
  .map((name) => {
    const text = readFileSync(join(SRC, name), 'utf8');
    const path = name.split(sep).join('/').slice(0, -'.ts'.length);
    const targets = ts.preProcessFile(text).importedFiles.map((file) => file.fileName.replace(/\.js$/, ''));
    const imports = targets.filter((target) => target.startsWith('.')).map((target) => posix.join(posix.dirname(path), target));
    return { path, text, imports };
  });

const roomOf = (path: string): string => path.split('/')[0] as string;
const isWiring = (path: string): boolean => path.endsWith('.module') || path === 'main' || path === 'serve';
const isFace = (path: string): boolean => FACES[roomOf(path)]?.includes(posix.basename(path)) ?? false;
const crossings = files.flatMap(({ path, imports }) =>
  imports.filter((to) => roomOf(to) !== roomOf(path)).map((to) => ({ from: path, to })),
);

describe('the house', () => {
  it('has no room that is on no floor', () => {
    expect(files.map(({ path }) => roomOf(path)).filter((room) => !FLOORS.includes(room))).toEqual([]);
  });

  it('is imported downwards only', () => {
    const upward = crossings.filter(({ from, to }) => FLOORS.indexOf(roomOf(to)) > FLOORS.indexOf(roomOf(from)));
    expect(upward).toEqual([]);
  });

  it('is entered by the face of a room only', () => {
    expect(crossings.filter(({ from, to }) => !isFace(to) && !(isWiring(to) && isWiring(from)))).toEqual([]);
  });

  it('has no face that nobody looks at', () => {
    const faces = Object.entries(FACES).flatMap(([room, names]) => names.map((name) => `${room}/${name}`));
    expect(faces.filter((face) => !crossings.some(({ to }) => `${roomOf(to)}/${posix.basename(to)}` === face))).toEqual([]);
  });

  it('has a doc comment on every exported symbol of a face', () => {
    const bare = files.filter(({ path }) => isFace(path)).flatMap(({ path, text }) => undocumented(path, text));
    expect(bare).toEqual([]);
  });

  it('has no circle of files', () => {
    const graph = new Map(files.map((file) => [file.path, file.imports]));
    const done = new Set<string>();
    const visit = (path: string, trail: readonly string[]): void => {
      if (trail.includes(path)) throw new Error(`circle: ${[...trail.slice(trail.indexOf(path)), path].join(' -> ')}`);
      if (done.has(path)) return;
      for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
      done.add(path);
    };
    expect(() => [...graph.keys()].forEach((path) => visit(path, []))).not.toThrow();
  });

  it.each([
    ['process.env', /process\.env|\{[^}]*\benv\b[^}]*\} from 'node:process'/, ['config/load-config']],
    ['forwardRef', /forwardRef\(/, []],
    ['console', /\bconsole\./, []],
    ['the engine library', /'onnxruntime-node'/, ['runtime/onnx/onnx-model']],
    ['TensorFlow.js', /'@tensorflow\/tfjs-[\w-]+'/, TFJS],
    [
      'the reading of a body',
      /\.pipe\(|on\('data'/,
      [
        'wire/read-body',
        'wire/read-multipart',
        'models/api/model-etag.interceptor', // of an observable
        'runtime/hosts/host-process',
        'runtime/hosts/host-channel',
      ],
    ],
  ] as const)('names %s nowhere but where it belongs', (_name, pattern, allowed: readonly string[]) => {
    expect(files.filter((file) => pattern.test(file.text) && !allowed.includes(file.path)).map((file) => file.path)).toEqual([]);
  });

  it('has no barrels and no lumber rooms', () => {
    const lumber = /(^|\/)(index|utils?|helpers?|common|shared|misc)(\/|\.|$)/;
    expect(files.map(({ path }) => path).filter((path) => lumber.test(path))).toEqual([]);
  });
});

/** Exported declarations without a doc comment right before them. */
function undocumented(path: string, text: string): readonly string[] {
  const source = ts.createSourceFile(`${path}.ts`, text, ts.ScriptTarget.ES2023, true);
  return source.statements
    .filter(
      (statement) => ts.canHaveModifiers(statement) && ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword),
    )
    .filter((statement) => ts.getJSDocCommentsAndTags(statement).length === 0)
    .map((statement) => `${path}: ${statement.getText(source).split('\n')[0]}`);
}
