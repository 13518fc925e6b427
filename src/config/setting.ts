import 'reflect-metadata';

/** A group of settings: a class whose fields carry `@Setting`, each with its default as initial value. */
export type SettingGroup = new () => object;

/** One environment variable that the service reads. */
export interface SettingInfo {
  readonly name: string;
  readonly about: string;
  readonly property: string;
  /** Its value is never shown. */
  readonly secret: boolean;
  /** What holds where the variable is unset. Its type decides how the text is read. */
  readonly fallback: SettingValue;
}

/** What a variable can stand for: text, a number, or a list of words separated by commas. */
export type SettingValue = string | number | readonly string[];

const SETTINGS = Symbol('settings');

/**
 * Binds a field of a settings group to an environment variable.
 * @param name the variable; with its unit where it has one (`IMPORT_DEADLINE_SECONDS`)
 * @param about one line for the table of settings
 * @param secrecy `secret`: its value is never shown, not even where it is wrong
 */
export function Setting(name: string, about: string, secrecy?: 'secret'): PropertyDecorator {
  return (target, property) => {
    const known = (Reflect.getMetadata(SETTINGS, target) ?? []) as readonly object[];
    Reflect.defineMetadata(SETTINGS, [...known, { name, about, property, secret: secrecy === 'secret' }], target);
  };
}

/** The settings of a group, in the order in which the class names them. */
export function settingsOf(group: SettingGroup): readonly SettingInfo[] {
  const defaults = new group() as Record<string, SettingValue>;
  const declared = (Reflect.getMetadata(SETTINGS, group.prototype as object) ?? []) as readonly Omit<SettingInfo, 'fallback'>[];
  return declared.map((setting) => ({ ...setting, fallback: defaults[setting.property] as SettingValue }));
}
