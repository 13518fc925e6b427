/** Commands of a document, and the answers that it shows below them. */
export interface Example {
  readonly language: 'sh' | 'js' | 'python';
  readonly commands: string;
  readonly answers: readonly ShownAnswer[];
}

export interface ShownAnswer {
  readonly language: 'json' | 'text';
  readonly text: string;
}

/** Each block of a program (```sh, ```js, ```python) with the ```json and ```text blocks that come before the next one. */
export function examplesOf(markdown: string): readonly Example[] {
  const blocks = [...markdown.matchAll(/^```(sh|js|python|json|text)\n(.*?)^```$/gms)].map(([, language = '', text = '']) => ({
    language,
    text,
  }));
  const starts = blocks.flatMap(({ language }, at) => (language === 'json' || language === 'text' ? [] : [at]));
  return starts.map((start, nth) => {
    const { language, text: commands } = blocks[start] as (typeof blocks)[number];
    return { language, commands, answers: blocks.slice(start + 1, starts[nth + 1]) } as Example;
  });
}

/**
 * Where what commands said differs from what a document shows of it. `…` stands for any text, `"…"` for any value. JSON: members that are not
 * shown may be there; a list must be as long as shown, unless it ends in `"…"`; a number must be equal to the places that are
 * shown. Text: each line must be there, in this order.
 * @returns the first difference; `undefined` where it fits
 */
export function differenceOf({ language, text }: ShownAnswer, said: string): string | undefined {
  if (language === 'text') return differentLine(text, said);
  const body = said.startsWith('HTTP/1.1 ') ? said.slice(said.indexOf('\r\n\r\n')) : said;
  return differentValue(withPlaces(text), JSON.parse(body) as unknown, 'answer');
}

function differentLine(text: string, said: string): string | undefined {
  const lines = said.split(/\r?\n/);
  for (const shown of text.trimEnd().split('\n')) {
    const at = lines.findIndex((line) => fits(shown, line));
    if (at === -1) return `no line ${JSON.stringify(shown)} (any more) in:\n${said}`;
    lines.splice(0, at + 1);
  }
  return undefined;
}

/** A number as a document shows it. */
class Places {
  constructor(readonly text: string) {}

  fit(value: unknown): boolean {
    const places = this.text.split('.')[1]?.length ?? 0;
    return typeof value === 'number' && (places === 0 ? value === Number(this.text) : value.toFixed(places) === this.text);
  }
}

function withPlaces(text: string): unknown {
  const revive = (_: string, value: unknown, { source }: { readonly source: string }): unknown =>
    typeof value === 'number' ? new Places(source) : value;
  return JSON.parse(text, revive as (key: string, value: unknown) => unknown) as unknown;
}

function differentValue(shown: unknown, real: unknown, path: string): string | undefined {
  const different = `${path}: shown is ${JSON.stringify(shown)}, but it is ${JSON.stringify(real)}`;
  if (shown === '…') return real === undefined ? different : undefined;
  if (shown instanceof Places) return shown.fit(real) ? undefined : different.replace(/\{"text":"([^"]*)"\}/, '$1');
  if (typeof shown === 'string') return typeof real === 'string' && fits(shown, real) ? undefined : different;
  if (typeof shown !== 'object' || shown === null) return shown === real ? undefined : different;
  if (typeof real !== 'object' || real === null || Array.isArray(shown) !== Array.isArray(real)) return different;
  const open = Array.isArray(shown) && shown.at(-1) === '…';
  const members = Object.entries(open ? shown.slice(0, -1) : shown);
  if (Array.isArray(real) && !open && real.length !== members.length)
    return `${path}: shown are ${members.length}, but there are ${real.length}`;
  for (const [name, value] of members) {
    const difference = differentValue(value, (real as Record<string, unknown>)[name], `${path}.${name}`);
    if (difference !== undefined) return difference;
  }
  return undefined;
}

function fits(shown: string, real: string): boolean {
  const literal = shown.split('…').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
  return new RegExp(`^${literal.join('.*')}$`, 's').test(real);
}
