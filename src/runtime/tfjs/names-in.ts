/** The words of a text. */
export function namesIn(text: string): readonly string[] {
  return text.trim().split(/\s+/);
}
