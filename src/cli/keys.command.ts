import { userInfo } from 'node:os';
import type { Command } from 'commander';
import { KeyOffice, type KeyWish } from '../auth/key-office';
import { GRANTS, KEY_NAME, type KeyRecord, MODEL_PATTERN, validityOf } from '../auth/key-records';
import { AuthConfig } from '../config/app-config';
import { apiKeysFile } from '../config/exposure';
import { AppError } from '../errors/app-error';
import { type CommandOutput, EXIT, WrongUsage } from './command';
import { type CommandFrame, type CommonOptions, examples } from './command-frame';
import { modelsDirOf, toolConfig } from './command-settings';

/** What `keys` was asked for. */
interface KeysOptions {
  readonly json?: boolean;
  readonly name?: string;
  readonly scope?: string;
  readonly models?: string;
  readonly expires?: string;
  readonly notBefore?: string;
}

const DEFAULT_SCOPES = 'predict,models:read';
const SPAN = /^([1-9][0-9]{0,4})([mhd])$/;
const UNIT_MS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const SCOPES_TOLD =
  'predict, models:read, models:write, promote, promote:staging (all but what changes production), backup:run, backup:restore, ' +
  `cache:admin, keys:admin, logs:admin, metrics, admin (all of them); default ${DEFAULT_SCOPES}`;

/** `keys create|list|revoke|verify`: no server need run; one that does takes a change within a second. */
export function addKeysCommands(program: Command, frame: CommandFrame): void {
  const group = program
    .command('keys')
    .description('the API keys; no server need run, and one that does follows within a second')
    .addHelpText('after', examples('keys create --name board --scope predict', 'keys list'));
  group
    .command('create')
    .description('make an API key and print it, this once')
    .option('--name <name>', 'what people call it; rotate by making another of the same name')
    .option('--scope <scopes>', SCOPES_TOLD)
    .option('--models <names>', 'only these models: names, or the beginning of names and * (default: all)')
    .option('--expires <when>', '30d, 12h, 15m from now, or a date')
    .option('--not-before <when>', 'the same')
    .addHelpText('after', examples("keys create --name board --scope predict --models 'iris,fraud-*' --expires 90d"))
    .action(frame.brief<KeysOptions>(({ options, output }) => keysCreate(officeOf(options), options, output)));
  group
    .command('list')
    .description('what there is of every key')
    .addHelpText('after', examples('keys list', 'keys list --json'))
    .action(frame.brief<KeysOptions>(({ options, output }) => keysList(officeOf(options), options, output)));
  group
    .command('revoke <id>')
    .description('take a key out of force')
    .addHelpText('after', examples('keys revoke 4fK9sXq2'))
    .action(frame.brief<KeysOptions>(({ options, operands: [id = ''], output }) => keysRevoke(officeOf(options), id, options, output)));
  group
    .command('verify')
    .description('check the audit trail of the keys')
    .addHelpText('after', examples('keys verify'))
    .action(frame.brief<KeysOptions>(({ options, output }) => keysVerify(officeOf(options), options, output)));
}

function officeOf(options: CommonOptions): KeyOffice {
  const config = toolConfig();
  const modelsDir = modelsDirOf(options, config);
  return new KeyOffice(apiKeysFile(config.get(AuthConfig) as AuthConfig, { modelsDir }), modelsDir, commandLineActor());
}

/** Who changes keys here, for the audit trail: whoever the system says that runs the command. */
export function commandLineActor(): string {
  try {
    return `cli:${userInfo().username}`;
  } catch {
    return `cli:${process.getuid?.() ?? 'unknown'}`; // a container may have no name for its user
  }
}

/** Makes a key and prints it, once. @throws WrongUsage */
async function keysCreate(office: KeyOffice, options: KeysOptions, { out, err }: CommandOutput): Promise<number> {
  const { text, record } = await office.create(wishOf(options));
  const reason = `The key ${record.id} ("${record.name}") is in force within a second; it is shown this once, and kept nowhere`;
  if (options.json === true) out(JSON.stringify({ code: EXIT.ok, reason, key: text, ...shownOf(record) }));
  else {
    err(reason);
    out(text); // alone on standard output: KEY=$(analytics-api keys create …)
  }
  return EXIT.ok;
}

/** Prints what there is of every key: never a key. */
async function keysList(office: KeyOffice, { json }: KeysOptions, { out }: CommandOutput): Promise<number> {
  const keys = await office.list();
  for (const key of keys) out(json === true ? JSON.stringify(shownOf(key)) : lineOf(key));
  const reason = keys.length === 1 ? 'There is one key' : `There are ${keys.length} keys`;
  out(json === true ? JSON.stringify({ code: EXIT.ok, reason, keys: keys.length }) : reason);
  return EXIT.ok;
}

/** Takes a key out of force. @returns 1 where there is none of this id */
async function keysRevoke(office: KeyOffice, id: string, { json }: KeysOptions, { out }: CommandOutput): Promise<number> {
  const key = await office.revoke(id);
  const code = key === undefined ? EXIT.error : EXIT.ok;
  const reason = key === undefined ? `There is no key ${id}` : `The key ${id} ("${key.name}") is out of force within a second`;
  out(json === true ? JSON.stringify({ code, reason }) : reason);
  return code;
}

/** Checks the audit trail. @returns 1 where an event of it cannot be trusted */
async function keysVerify(office: KeyOffice, { json }: KeysOptions, { out }: CommandOutput): Promise<number> {
  const found = await office.verify().catch((error: unknown) => {
    if (error instanceof AppError) return error.message;
    throw error;
  });
  const whole = typeof found === 'number';
  const code = whole ? EXIT.ok : EXIT.error;
  const reason = whole ? `The audit trail is whole: ${found} events` : `The audit trail is damaged: ${found}`;
  out(json === true ? JSON.stringify({ code, reason }) : reason);
  return code;
}

function wishOf({ name, scope = DEFAULT_SCOPES, models, expires, notBefore }: KeysOptions): KeyWish {
  if (name === undefined || !KEY_NAME.test(name)) throw new WrongUsage('--name must be 1 to 64 of letters, digits, ".", "_", "@", "-"');
  return {
    name,
    scopes: listed('--scope', scope, (word) => (GRANTS as readonly string[]).includes(word), GRANTS.join(', ')) as KeyWish['scopes'],
    models: models === undefined ? [] : listed('--models', models, (word) => MODEL_PATTERN.test(word), 'names of models, or prefix*'),
    ...(notBefore !== undefined && { notBefore: timeOf('--not-before', notBefore) }),
    ...(expires !== undefined && { expiresAt: timeOf('--expires', expires) }),
  };
}

function listed(option: string, text: string, isGood: (word: string) => boolean, expected: string): readonly string[] {
  const words = text.split(',').map((word) => word.trim());
  const bad = words.find((word) => !isGood(word));
  if (bad !== undefined) throw new WrongUsage(`${option}: "${bad}" is none of ${expected}`);
  return [...new Set(words)];
}

/** A moment from now on (`30d`, `12h`, `15m`) or a date (ISO 8601). */
function timeOf(option: string, text: string): string {
  const [, amount, unit] = SPAN.exec(text) ?? [];
  const at = unit === undefined ? Date.parse(text) : Date.now() + Number(amount) * UNIT_MS[unit as keyof typeof UNIT_MS];
  if (Number.isNaN(at) || (unit === undefined && !/^\d{4}-\d\d-\d\d/.test(text))) {
    throw new WrongUsage(`${option}: "${text}" is neither a time from now on (30d, 12h, 15m) nor a date (2027-01-31)`);
  }
  return new Date(at).toISOString();
}

function shownOf(record: KeyRecord): object {
  const { sha256: _, ...shown } = record;
  return { ...shown, state: stateOf(record) };
}

function stateOf(record: KeyRecord): string {
  const { from, until } = validityOf(record);
  if (record.revokedAt !== undefined) return 'revoked';
  const now = Date.now();
  if (now >= until) return 'expired';
  return now < from ? 'not yet in force' : 'in force';
}

function lineOf(record: KeyRecord): string {
  const { id, name, scopes, models, expiresAt } = record;
  const until = expiresAt === undefined ? '' : `, until ${expiresAt}`;
  return `${id} ${name}: ${stateOf(record)}${until}; ${scopes.join(', ')}; models ${models.length === 0 ? 'all' : models.join(', ')}`;
}
