// The figures of bench/serving.mjs as tables of docs/PERFORMANCE.md.
// usage: node bench/serving/tables.mjs [FIGURES] [DOCUMENT]
import { writeSection } from './section.mjs';
import * as text from './text.mjs';

const [figures = 'docs/serving.json', document = 'docs/PERFORMANCE.md'] = process.argv.slice(2);
writeSection({ name: 'serving', figures, document, text });
