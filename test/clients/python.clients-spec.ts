import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DATATYPE_MODELS, identityOf } from '../onnx/datatypes';
import { failing, identity, linear, nanOutput, twoInputs } from '../onnx/models';
import { DTYPE } from '../onnx/onnx-writer';
import { type ServerProcess, Servers } from '../process/server-process';
import { differenceOf, type Example, examplesOf } from '../process/shown-answer';

const ROOT = join(__dirname, '..', '..');
const PYTHON = process.env['CLIENTS_PYTHON'] ?? 'python3';
const KEY = 'a-key-of-this-test-alone';
const SECONDS = 60;
const EXAMPLES = examplesOf(readFileSync(join(ROOT, 'docs', 'CLIENTS.md'), 'utf8'));
const PROGRAMS = {
  sh: ['bash', '-euo', 'pipefail', '-c'],
  js: [process.execPath, '--input-type=module', '-e'],
  python: [PYTHON, '-c'],
} as const;

/** What a command said, on standard output; and on standard error where it failed. */
function run([program, ...args]: readonly [string, ...string[]], settings: Readonly<Record<string, string>> = {}): Promise<string> {
  const options = { cwd: ROOT, env: { ...process.env, ...settings }, timeout: SECONDS * 1000 };
  return new Promise((resolve) => {
    execFile(program, args, options, (error, stdout, stderr) => resolve(error === null ? stdout : `${stdout}\n${stderr}`));
  });
}

describe('clients in other languages', () => {
  const servers = new Servers();
  let open: ServerProcess;
  let keyed: ServerProcess;
  beforeAll(async () => {
    [open, keyed] = await Promise.all([servers.start(), servers.start({ API_KEY: KEY })]);
    await serveModels(open);
  }, SECONDS * 1000);
  afterAll(() => servers.remove());

  it.each([
    ['tritonclient', 'triton_session.py', 70, (origin: string) => new URL(origin).host],
    ['the client of KServe', 'kserve_session.py', 20, (origin: string) => origin],
  ] as const)(
    '%s finds what it expects',
    async (_, script, least, addressOf) => {
      const said = await run([PYTHON, join(__dirname, script), addressOf(open.origin), addressOf(keyed.origin), KEY]);
      const checks = said.split('\n').filter((line) => /^(ok|FAILED) /.test(line));
      expect(said.split('\n').filter((line) => line !== '' && !line.startsWith('ok '))).toEqual([]);
      expect(checks.length).toBeGreaterThanOrEqual(least);
    },
    SECONDS * 1000,
  );

  describe('docs/CLIENTS.md', () => {
    it('shows an answer to every block', () => {
      expect(new Set(EXAMPLES.map(({ language }) => language))).toEqual(new Set(['sh', 'js', 'python']));
      expect(EXAMPLES.filter(({ answers }) => answers.length === 0)).toEqual([]);
    });

    it.each(EXAMPLES.map((example, at) => [at + 1, example.language, example] as const))(
      'answers as shown: %i, %s',
      async (_, __, example) => {
        const said = await sayOf(example);
        expect(example.answers.map((answer) => differenceOf(answer, said)).filter(Boolean)).toEqual([]);
      },
      SECONDS * 1000,
    );

    /** A block that speaks of a key asks the server that has one. */
    function sayOf({ language, commands }: Example): Promise<string> {
      const { origin } = commands.includes('KEY') ? keyed : open;
      const script = commands.replaceAll('127.0.0.1:4100', new URL(origin).host);
      return run([...PROGRAMS[language], script], { KEY });
    }
  });
});

/** One of each datatype, and one for each thing that a client may come upon. */
async function serveModels(server: ServerProcess): Promise<void> {
  for (const { name, datatype } of DATATYPE_MODELS) await server.serve(name, identityOf(datatype));
  await server.serve('counted', identity(DTYPE.float32, [null, 1]));
  await server.serve('two', twoInputs());
  await server.serve('root', nanOutput());
  await server.serve('failing', failing());
  await server.serve('lines', linear([[1]]));
  await publish(server, 'lines', linear([[10]]));
  await publish(server, 'staged', linear([[1]]));
  const { status } = await server.ask('PUT', '/api/v1/models/lines/aliases/challenger', { version: 2 });
  expect(status).toBe(200);
}

/** Uploads a version, which goes nowhere. */
async function publish(server: ServerProcess, name: string, model: Buffer): Promise<void> {
  const form = new FormData();
  form.set('name', name);
  form.set('file', new Blob([Uint8Array.from(model)]), 'model.onnx');
  expect((await server.ask('POST', '/api/v1/models', form)).status).toBe(201);
}
