// The figures of bench/serving.mjs as tables of docs/PERFORMANCE.md, between the comments that name them.
// usage: node bench/serving/tables.mjs [FIGURES] [DOCUMENT]
import { readFileSync, writeFileSync } from 'node:fs';
import { aboutOf, tablesOf, trustOf } from './text.mjs';

const [FIGURES = 'docs/serving.json', DOCUMENT = 'docs/PERFORMANCE.md'] = process.argv.slice(2);
const [BEGIN, END] = ['<!-- serving -->\n', '<!-- end of serving -->'];

const row = (cells) => `| ${cells.join(' | ')} |`;
const table = ({ head, rows }) => [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');

const results = JSON.parse(readFileSync(FIGURES, 'utf8'));
const section = [aboutOf(results).join('\n'), ...tablesOf(results).map(table), trustOf(results).join('\n')].join('\n\n');
const text = readFileSync(DOCUMENT, 'utf8');
const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
if (begin === -1 || end < begin) throw new Error(`${DOCUMENT} has no lines "${BEGIN.trim()}" and "${END}" for the tables to be between`);
writeFileSync(DOCUMENT, `${text.slice(0, begin)}${BEGIN}${section}\n${text.slice(end)}`);
