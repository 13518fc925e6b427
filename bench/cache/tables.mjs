// The figures of bench/cache.mjs as tables of docs/PERFORMANCE.md.
// usage: node bench/cache/tables.mjs [FIGURES] [DOCUMENT]
import { writeSection } from '../serving/section.mjs';
import * as text from './text.mjs';

const [figures = 'docs/cache.json', document = 'docs/PERFORMANCE.md'] = process.argv.slice(2);
writeSection({ name: 'cache', figures, document, text });
