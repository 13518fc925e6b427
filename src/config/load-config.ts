import { isAbsolute, relative, resolve } from 'node:path';
import { validateSync } from 'class-validator';
import { AuthConfig, BackupConfig, CONFIG_GROUPS, HttpConfig, LogConfig, StorageConfig } from './app-config';
import { BadConfiguration } from './config.errors';
import { exposed } from './exposure';
import { isOneEditAway } from './one-edit';
import { type SettingGroup, type SettingInfo, type SettingValue, settingsOf } from './setting';

/** The environment as `process.env` has it. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** One frozen instance of every settings group. */
export type AppConfig = ReadonlyMap<SettingGroup, object>;

/**
 * Turns the environment into settings. An empty variable counts as unset.
 * @param purpose `serve`: also refuses an address that others reach while there is no key
 * @throws BadConfiguration naming every bad variable at once, so that one restart mends them all
 */
export function loadConfig(env: Environment = process.env, purpose: 'serve' | 'tool' = 'serve'): AppConfig {
  const faults: string[] = [];
  const groups = CONFIG_GROUPS.map((group): [SettingGroup, object] => [group, Object.freeze(readGroup(group, env, faults))]);
  const config = new Map(groups);
  const [backup, storage, log] = [BackupConfig, StorageConfig, LogConfig].map((group) => config.get(group));
  faults.push(...misspelled(env), ...contradictions(backup as BackupConfig, storage as StorageConfig, log as LogConfig));
  if (purpose === 'serve') {
    const [http, auth] = [HttpConfig, AuthConfig].map((group) => config.get(group));
    faults.push(...exposed(http as HttpConfig, auth as AuthConfig, storage as StorageConfig));
  }
  if (faults.length > 0) throw new BadConfiguration(faults);
  return config;
}

function readGroup(group: SettingGroup, env: Environment, faults: string[]): object {
  const settings = settingsOf(group);
  const given = settings.filter(({ name }) => env[name] !== undefined && env[name] !== '');
  const values = given.map((setting) => [setting.property, parse(setting, env[setting.name] as string)]);
  const instance = Object.assign(new group(), Object.fromEntries(values)) as object;
  for (const { property, constraints } of validateSync(instance)) {
    const { name, secret } = settings.find((setting) => setting.property === property) as SettingInfo;
    const expected = Object.values(constraints ?? {}).map((text) => text.replaceAll(property, name));
    faults.push(`${name}=${secret ? '(not shown)' : env[name]}: ${expected.join(', ')}`);
  }
  return instance;
}

function parse({ fallback }: SettingInfo, text: string): SettingValue {
  if (typeof fallback === 'number') return text.trim() === '' ? Number.NaN : Number(text);
  if (typeof fallback === 'string') return text;
  return text.split(',').map((word) => word.trim());
}

/** What is good by itself, and not together. */
function contradictions(backup: BackupConfig, { modelsDir }: StorageConfig, { dir: logDir }: LogConfig): readonly string[] {
  const { encrypt, keyFile, backupsDir, keepLast, keepDaily, keepWeekly, keepMonthly } = backup;
  const keepsNothing = [keepLast, keepDaily, keepWeekly, keepMonthly].every((count) => count === 0);
  return [
    ...(encrypt === 'on' && keyFile === '' ? ['BACKUP_ENCRYPT=on: it needs BACKUP_KEY_FILE'] : []),
    ...(liesIn(backupsDir, modelsDir)
      ? [`BACKUPS_DIR=${backupsDir}: it lies in MODELS_DIR=${modelsDir}, and what loses one would lose both`]
      : []),
    ...(logDir !== '' && liesIn(logDir, modelsDir) ? [`LOG_DIR=${logDir}: it lies in MODELS_DIR=${modelsDir}`] : []),
    ...(logDir !== '' && liesIn(logDir, backupsDir) ? [`LOG_DIR=${logDir}: it lies in BACKUPS_DIR=${backupsDir}`] : []),
    ...(keepsNothing ? ['BACKUP_KEEP_LAST, _DAILY, _WEEKLY, _MONTHLY: one of them must be more than 0, else no snapshot would stay'] : []),
  ];
}

/** Whether a folder is another one, or is under it. */
function liesIn(inner: string, outer: string): boolean {
  const way = relative(resolve(outer), resolve(inner));
  return way === '' || !(way.startsWith('..') || isAbsolute(way));
}

/** Kubernetes and shells put much into the environment that is not ours; a name that all but matches one of ours is a slip. */
function misspelled(env: Environment): readonly string[] {
  const names = CONFIG_GROUPS.flatMap((group) => settingsOf(group)).map(({ name }) => name);
  return Object.keys(env)
    .filter((name) => !names.includes(name))
    .flatMap((name) => names.filter((real) => isOneEditAway(name, real)).map((real) => `${name}: no such setting; ${real} was meant?`));
}
