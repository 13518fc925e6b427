import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { AuthConfig } from '../config/app-config';
import { type CommandOutput, EXIT } from './command';
import { type CommandFrame, examples } from './command-frame';
import { textOf, toolConfig } from './command-settings';

/** What `examples` was asked for. */
interface ExamplesOptions {
  /** `http://host:port` of a running server. */
  readonly server: string;
  readonly apiKey: string | undefined;
}

/** What the API tells of a model, as far as it matters here. */
interface Model {
  readonly tags: readonly string[];
  readonly production: number | null;
  readonly aliases: Readonly<Record<string, number>>;
  readonly versions: readonly { readonly publishedBy: string }[];
}

interface ServerOption {
  readonly server?: string;
}

const NAMES = ['iris', 'fuel-economy', 'market'] as const;
const FOLDER = join(__dirname, '..', '..', 'examples'); // both from src/ and from dist/
const REASON = 'the examples are not needed';
const SERVER = 'http://127.0.0.1:4100';
const SERVER_OPTION = ['--server <url>', `the running server (default: ${SERVER}); API_KEY has the key, where it wants one`] as const;

/** `examples remove` and `examples add`, of a running server. Nobody's own model of the same name is touched. */
export function addExamplesCommands(program: Command, frame: CommandFrame): void {
  const group = program
    .command('examples')
    .description('the three example models')
    .addHelpText('after', examples('examples remove', 'examples add'));
  group
    .command('remove')
    .description('delete the three example models from a running server')
    .option(...SERVER_OPTION)
    .addHelpText('after', examples('examples remove', 'examples remove --server http://10.0.0.7:4100'))
    .action(frame.brief<ServerOption>(({ options, output }) => forEach(serverOf(options), output, remove)));
  group
    .command('add')
    .description('put them in, into production')
    .option(...SERVER_OPTION)
    .addHelpText('after', examples('examples add'))
    .action(frame.brief<ServerOption>(({ options, output }) => forEach(serverOf(options), output, add)));
}

function serverOf({ server }: ServerOption): ExamplesOptions {
  const { apiKey } = toolConfig().get(AuthConfig) as AuthConfig;
  return { server: textOf(server) ?? SERVER, apiKey: apiKey || undefined };
}

type Work = (name: string, model: Model | undefined, server: Server, say: (text: string) => void) => Promise<void>;

async function forEach(options: ExamplesOptions, { out, err }: CommandOutput, work: Work): Promise<number> {
  const server = new Server(options);
  let code: number = EXIT.ok;
  for (const name of NAMES) {
    try {
      const model = await server.model(name);
      const say = (text: string): void => out(`${name}: ${text}`);
      if (model !== undefined && !isExample(model)) say('left alone: a model of your own, without the tag "example"');
      else await work(name, model, server, say);
    } catch (error) {
      err(`${name}: ${(error as Error).message}`);
      code = EXIT.error;
    }
  }
  return code;
}

function isExample({ tags, versions }: Model): boolean {
  return tags.includes('example') || versions.some(({ publishedBy }) => publishedBy === 'first-start');
}

const remove: Work = async (name, model, server, say) => {
  if (model === undefined) return say('not there');
  const { production, aliases } = model;
  if (production !== null) {
    await server.send('POST', `/${name}/versions/${production}/promote`, JSON.stringify({ stage: 'archived', reason: REASON }));
    say(`version ${production} taken out of production`);
  }
  for (const alias of Object.keys(aliases)) {
    await server.send('DELETE', `/${name}/aliases/${encodeURIComponent(alias)}`);
    say(`alias "${alias}" removed`);
  }
  await server.send('DELETE', `/${name}?reason=${encodeURIComponent(REASON)}`);
  say('deleted; undelete it, or add the examples again, to have it back');
};

const add: Work = async (name, _, server, say) => {
  const form = new FormData();
  form.set('name', name);
  form.set('stage', 'production');
  form.set('metadata', await readFile(join(FOLDER, name, 'metadata.json'), 'utf8'));
  form.set('file', new Blob([await readFile(join(FOLDER, name, 'model.onnx'))]), 'model.onnx');
  const { version } = (await (await server.send('POST', '', form)).json()) as { readonly version: number };
  say(`version ${version} is in production`);
};

/** The API of a running server. */
class Server {
  constructor(private readonly options: ExamplesOptions) {}

  /** `undefined`: there is none. */
  async model(name: string): Promise<Model | undefined> {
    const response = await this.ask('GET', `/${name}`);
    if (response.status === 404) return undefined;
    return (await (await done(response)).json()) as Model;
  }

  /** @throws with the server's own words where it refuses */
  async send(method: string, path: string, body?: string | FormData): Promise<Response> {
    return done(await this.ask(method, path, body));
  }

  private async ask(method: string, path: string, body?: string | FormData): Promise<Response> {
    const { server, apiKey } = this.options;
    const headers = {
      ...(apiKey !== undefined && { Authorization: `Bearer ${apiKey}` }),
      ...(typeof body === 'string' && { 'Content-Type': 'application/json' }),
    };
    const address = `${server.replace(/\/+$/, '')}/api/v1/models${path}`;
    return fetch(address, { method, headers, ...(body !== undefined && { body }) }).catch((cause: unknown) => {
      throw new Error(`no answer from ${server}: is the server running?`, { cause });
    });
  }
}

async function done(response: Response): Promise<Response> {
  if (response.ok) return response;
  const { code, detail } = (await response.json().catch(() => ({}))) as { readonly code?: string; readonly detail?: string };
  throw new Error([response.status, code, detail].filter(Boolean).join(' '));
}
