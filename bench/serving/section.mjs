// Figures as a section of a document, between the comments that name it.
import { readFileSync, writeFileSync } from 'node:fs';

const row = (cells) => `| ${cells.join(' | ')} |`;
const table = ({ head, rows }) => [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');

/** @param name of the comments @param figures path of what the bench wrote @param text what tells them */
export function writeSection({ name, figures, document, text: { aboutOf, tablesOf, trustOf } }) {
  const [BEGIN, END] = [`<!-- ${name} -->\n`, `<!-- end of ${name} -->`];
  const results = JSON.parse(readFileSync(figures, 'utf8'));
  const section = [aboutOf(results).join('\n'), ...tablesOf(results).map(table), trustOf(results).join('\n')].join('\n\n');
  const text = readFileSync(document, 'utf8');
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin === -1 || end < begin) throw new Error(`${document} has no lines "${BEGIN.trim()}" and "${END}" for the tables to be between`);
  writeFileSync(document, `${text.slice(0, begin)}${BEGIN}${section}\n${text.slice(end)}`);
}
