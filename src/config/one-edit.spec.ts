import { isOneEditAway } from './one-edit';

/** Every text that is one edit away from `text` over `alphabet`, made by doing every edit: the definition, where the function is the shortcut. */
function everyEdit(text: string, alphabet: string): ReadonlySet<string> {
  const made: string[] = [];
  for (let at = 0; at <= text.length; at++) {
    const [before, after] = [text.slice(0, at), text.slice(at)];
    for (const letter of alphabet) made.push(before + letter + after, before + letter + after.slice(1));
    made.push(before + after.slice(1));
    if (after.length > 1) made.push(before + after[1]! + after[0]! + after.slice(2));
  }
  return new Set(made.filter((edited) => edited !== text));
}

function everyText(alphabet: string, longest: number): readonly string[] {
  const texts = [''];
  for (const text of texts) {
    if (text.length < longest) texts.push(...Array.from(alphabet, (letter) => text + letter));
  }
  return texts;
}

describe(isOneEditAway.name, () => {
  it.each([
    ['a letter added at the start', 'XPORT', 'PORT'],
    ['a letter added in the middle', 'POORT', 'PORT'],
    ['a letter added at the end', 'PORTS', 'PORT'],
    ['a letter left out at the start', 'ORT', 'PORT'],
    ['a letter left out in the middle', 'PRT', 'PORT'],
    ['a letter left out at the end', 'POR', 'PORT'],
    ['a letter replaced at the start', 'FORT', 'PORT'],
    ['a letter replaced in the middle', 'PURT', 'PORT'],
    ['a letter replaced at the end', 'PORK', 'PORT'],
    ['the first two letters swapped', 'OPRT', 'PORT'],
    ['two letters swapped in the middle', 'PROT', 'PORT'],
    ['the last two letters swapped', 'POTR', 'PORT'],
    ['one letter beside none', 'P', ''],
  ])('sees %s: %s, %s', (_what, a, b) => {
    expect(isOneEditAway(a, b)).toBe(true);
    expect(isOneEditAway(b, a)).toBe(true);
  });

  it.each([
    ['equal', 'PORT', 'PORT'],
    ['both empty', '', ''],
    ['two letters longer', 'PORTAL', 'PORT'],
    ['two letters shorter', 'PT', 'PORT'],
    ['two letters replaced', 'FORK', 'PORT'],
    ['one added and one replaced', 'PURTS', 'PORT'],
    ['one moved over two others', 'RPOT', 'PORT'],
    ['two swapped that are no neighbours', 'TORP', 'PORT'],
    ['two pairs swapped', 'OPTR', 'PORT'],
    ['two swapped and one added', 'PROTS', 'PORT'],
    ['two swapped and one replaced', 'PROX', 'PORT'],
    ['in another case', 'Port', 'PORT'],
    ['with a prefix', 'ANALYTICS_API_PORT', 'PORT'],
  ])('does not take for one edit what is %s: %s, %s', (_what, a, b) => {
    expect(isOneEditAway(a, b)).toBe(false);
    expect(isOneEditAway(b, a)).toBe(false);
  });

  it('agrees with doing every edit, for every pair of texts of up to five letters', () => {
    const texts = everyText('ab', 5);
    const wrong = texts.flatMap((a) => {
      const edits = everyEdit(a, 'ab');
      return texts.filter((b) => isOneEditAway(a, b) !== edits.has(b)).map((b) => [a, b]);
    });
    expect(texts).toHaveLength(63);
    expect(wrong).toEqual([]);
  });

  it('agrees with doing every edit, for every pair of texts of up to four letters of three', () => {
    const texts = everyText('abc', 4);
    const wrong = texts.flatMap((a) => {
      const edits = everyEdit(a, 'abc');
      return texts.filter((b) => isOneEditAway(a, b) !== edits.has(b)).map((b) => [a, b]);
    });
    expect(texts).toHaveLength(121);
    expect(wrong).toEqual([]);
  });
});
