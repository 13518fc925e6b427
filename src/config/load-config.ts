import { isIP } from 'node:net';
import { validateSync } from 'class-validator';
import { CONFIG_GROUPS, HttpConfig } from './app-config';
import { BadConfiguration } from './config.errors';
import { isOneEditAway } from './one-edit';
import { type SettingGroup, type SettingInfo, type SettingValue, settingsOf } from './setting';

/** The environment as `process.env` has it. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** One frozen instance of every settings group. */
export type AppConfig = ReadonlyMap<SettingGroup, object>;

/**
 * Turns the environment into settings. An empty variable counts as unset.
 * @throws BadConfiguration naming every bad variable at once, so that one restart mends them all
 */
export function loadConfig(env: Environment = process.env): AppConfig {
  const faults: string[] = [];
  const groups = CONFIG_GROUPS.map((group): [SettingGroup, object] => [group, Object.freeze(readGroup(group, env, faults))]);
  const config = new Map(groups);
  faults.push(...misspelled(env), ...exposed(config.get(HttpConfig) as HttpConfig));
  if (faults.length > 0) throw new BadConfiguration(faults);
  return config;
}

/** The key that the command line shows to a server, if any: no setting of a server of its own. */
export function callersKey(env: Environment = process.env): string | undefined {
  return env['API_KEY'] || undefined;
}

function readGroup(group: SettingGroup, env: Environment, faults: string[]): object {
  const settings = settingsOf(group);
  const given = settings.filter(({ name }) => env[name] !== undefined && env[name] !== '');
  const values = given.map((setting) => [setting.property, parse(setting, env[setting.name] as string)]);
  const instance = Object.assign(new group(), Object.fromEntries(values)) as object;
  for (const { property, constraints } of validateSync(instance)) {
    const { name } = settings.find((setting) => setting.property === property) as SettingInfo;
    const expected = Object.values(constraints ?? {}).map((text) => text.replaceAll(property, name));
    faults.push(`${name}=${env[name]}: ${expected.join(', ')}`);
  }
  return instance;
}

function parse({ fallback }: SettingInfo, text: string): SettingValue {
  if (typeof fallback === 'number') return text.trim() === '' ? Number.NaN : Number(text);
  if (typeof fallback === 'string') return text;
  return text.split(',').map((word) => word.trim());
}

/** Kubernetes and shells put much into the environment that is not ours; a name that all but matches one of ours is a slip. */
function misspelled(env: Environment): readonly string[] {
  const names = CONFIG_GROUPS.flatMap((group) => settingsOf(group)).map(({ name }) => name);
  return Object.keys(env)
    .filter((name) => !names.includes(name))
    .flatMap((name) => names.filter((real) => isOneEditAway(name, real)).map((real) => `${name}: no such setting; ${real} was meant?`));
}

/** @returns why the service may not listen there, if so */
function exposed({ host, authMode }: HttpConfig): readonly string[] {
  const loopback = host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
  if (loopback || authMode === 'none') return [];
  return [`HOST=${host}: others could reach an API without keys there. If they may, say so:\n    AUTH_MODE=none`];
}
