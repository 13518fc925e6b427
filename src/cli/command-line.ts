import { parseArgs } from 'node:util';
import { KeyOffice } from '../auth/key-office';
import { AuthConfig, StorageConfig } from '../config/app-config';
import { apiKeysFile } from '../config/exposure';
import { loadConfig } from '../config/load-config';
import { type CommandOutput, EXIT } from './command';
import { addExamples, type ExamplesOptions, removeExamples } from './examples.command';
import { fsckCommand } from './fsck.command';
import { BadOption, commandLineActor, keysCreate, type KeysOptions, keysList, keysRevoke, keysVerify } from './keys.command';

const SERVER = 'http://127.0.0.1:4100';

const HELP = `usage: analytics-api                        serve
       analytics-api fsck [options]         check the registry's folder; no server need run
       analytics-api keys create [options]  make an API key and print it, this once
       analytics-api keys list [options]    what there is of every key
       analytics-api keys revoke ID         take a key out of force
       analytics-api keys verify            check the audit trail of the keys
       analytics-api examples remove        delete the three example models from a running server
       analytics-api examples add           put them in, into production

options of all:
  --models-dir FOLDER   the registry (default: MODELS_DIR, else ./models)
  --json                one JSON object a line; the last one has code and reason

options of fsck:
  --repair              mend what can be mended by adding; nothing is ever taken away

options of keys create (no server need run; one that does takes the key within a second):
  --name NAME           what people call it; rotate by making another of the same name
  --scope SCOPE,…       predict, models:read, models:write, promote, promote:staging (all but what changes production),
                        backup:run, backup:restore, cache:admin, keys:admin, metrics, admin (all of them); default predict,models:read
  --models NAME,…       only these models: names, or the beginning of names and * (default: all)
  --expires WHEN        30d, 12h, 15m from now, or a date
  --not-before WHEN     the same

options of examples:
  --server URL          the running server (default: http://127.0.0.1:4100); the variable API_KEY has the key, where it wants one

exit codes: 0 all is well, 1 the history is damaged or something failed, 3 versions are damaged, 10 no registry there, 64 wrong usage
settings come from the environment: README.md has the table

example: analytics-api fsck --models-dir /data/models --json
         analytics-api keys create --name board --scope predict --models 'iris,fraud-*' --expires 90d`;

const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  'models-dir': { type: 'string' },
  json: { type: 'boolean' },
  repair: { type: 'boolean' },
  name: { type: 'string' },
  scope: { type: 'string' },
  models: { type: 'string' },
  expires: { type: 'string' },
  'not-before': { type: 'string' },
  server: { type: 'string' },
} as const;

/** The values of the options, as parseArgs gives them. */
type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'];

/** What a command is given. */
interface Call {
  /** The word after the command's own. */
  readonly operand: string;
  readonly values: Values;
  readonly output: CommandOutput;
}

/** A command: its own options beside those of all, how many words follow it, and what it does. */
interface Command {
  readonly options: readonly (keyof Values)[];
  readonly operands: 0 | 1;
  readonly run: (call: Call) => Promise<number>;
}

const COMMANDS: Readonly<Record<string, Command>> = {
  fsck: { options: ['repair'], operands: 0, run: ({ values, output }) => fsckCommand(fsckOptions(values), output) },
  'examples remove': { options: ['server'], operands: 0, run: ({ values, output }) => removeExamples(serverOf(values), output) },
  'examples add': { options: ['server'], operands: 0, run: ({ values, output }) => addExamples(serverOf(values), output) },
  'keys create': {
    options: ['name', 'scope', 'models', 'expires', 'not-before'],
    operands: 0,
    run: ({ values, output }) => keysCreate(office(values), keysOptions(values), output),
  },
  'keys list': { options: [], operands: 0, run: ({ values, output }) => keysList(office(values), keysOptions(values), output) },
  'keys revoke': {
    options: [],
    operands: 1,
    run: ({ operand, values, output }) => keysRevoke(office(values), operand, keysOptions(values), output),
  },
  'keys verify': { options: [], operands: 0, run: ({ values, output }) => keysVerify(office(values), keysOptions(values), output) },
};

/**
 * Runs a command of the command line.
 * @param args what follows the program's name; at least one word
 * @returns the exit code
 */
export async function runCommand(args: readonly string[], output: CommandOutput): Promise<number> {
  const refused = (text: string, code: number): number => {
    output.err(text);
    if (args.includes('--json')) output.out(JSON.stringify({ code, reason: text.split('\n')[0] })); // the last line is promised
    return code;
  };
  try {
    const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options: OPTIONS });
    if (values.help === true) {
      output.out(HELP);
      return EXIT.ok;
    }
    const name = Object.keys(COMMANDS).find((known) => positionals.slice(0, known.split(' ').length).join(' ') === known);
    const command = COMMANDS[name ?? ''];
    const operands = positionals.slice(name?.split(' ').length);
    if (command === undefined || operands.length !== command.operands) {
      return refused(`There is no command "${positionals.join(' ')}"\n\n${HELP}`, EXIT.usage);
    }
    const foreign = (Object.keys(values) as (keyof Values)[]).find((option) => !isOptionOf(command, option));
    if (foreign !== undefined) return refused(`Unknown option '--${foreign}'\n\n${HELP}`, EXIT.usage);
    return await command.run({ operand: operands[0] ?? '', values, output });
  } catch (error) {
    const usage = error instanceof BadOption || String((error as NodeJS.ErrnoException).code).startsWith('ERR_PARSE_ARGS');
    return refused((error as Error).message, usage ? EXIT.usage : EXIT.error);
  }
}

function isOptionOf(command: Command, option: keyof Values): boolean {
  return option === 'models-dir' || option === 'json' || command.options.includes(option);
}

function rootOf(values: Values): string {
  return values['models-dir'] || (loadConfig(undefined, 'tool').get(StorageConfig) as StorageConfig).modelsDir;
}

function fsckOptions(values: Values): Parameters<typeof fsckCommand>[0] {
  loadConfig(undefined, 'tool'); // settings that are wrong are said, also where none is needed
  return { root: rootOf(values), json: values.json ?? false, repair: values.repair ?? false };
}

function keysOptions({ json = false, 'not-before': notBefore, name, scope, models, expires }: Values): KeysOptions {
  const given = { name, scope, models, expires, notBefore };
  return { json, ...(Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Omit<KeysOptions, 'json'>) };
}

function office(values: Values): KeyOffice {
  const config = loadConfig(undefined, 'tool');
  const modelsDir = rootOf(values);
  return new KeyOffice(apiKeysFile(config.get(AuthConfig) as AuthConfig, { modelsDir }), modelsDir, commandLineActor());
}

function serverOf({ server }: Values): ExamplesOptions {
  const { apiKey } = loadConfig(undefined, 'tool').get(AuthConfig) as AuthConfig;
  return { server: server || SERVER, apiKey: apiKey || undefined };
}
