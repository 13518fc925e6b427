// What the callers send: made once, before anything is timed, and the same for every server.
import { writeFileSync } from 'node:fs';
import { feature, randomFrom } from './random.mjs';

const [SEED, DISTINCT, BULK_DISTINCT] = [11, 2000, 16];
const sizeOf = (shape) => shape.reduce((product, size) => product * size, 1);

/** @returns each of so many rows, as bodies of the Open Inference Protocol in JSON */
export function jsonBodies({ row }, { rows = 1, distinct = DISTINCT } = {}) {
  const random = randomFrom(SEED);
  const bodyOf = () => {
    const data = Array.from({ length: rows * sizeOf(row) }, () => feature(random));
    return JSON.stringify({ inputs: [{ name: 'x', datatype: 'FP32', shape: [rows, ...row], data }] });
  };
  return Array.from({ length: distinct }, bodyOf);
}

/** @returns many rows each, as numbers */
export function bulkRows({ row, bulkRows: rows }) {
  const random = randomFrom(SEED);
  return Array.from({ length: BULK_DISTINCT }, () => Float32Array.from({ length: rows * sizeOf(row) }, () => feature(random)));
}

/** One tensor by the binary extension, which asks for its answer in the same way. */
export function binaryBody(numbers, { row, bulkRows: rows }) {
  const tensor = { name: 'x', datatype: 'FP32', shape: [rows, ...row], parameters: { binary_data_size: numbers.byteLength } };
  const head = Buffer.from(JSON.stringify({ parameters: { binary_data_output: true }, inputs: [tensor] }));
  const headers = { 'Content-Type': 'application/octet-stream', 'Inference-Header-Content-Length': String(head.length) };
  return { headers, body: Buffer.concat([head, Buffer.from(numbers.buffer, numbers.byteOffset, numbers.byteLength)]) };
}

export const asJson = (body) => ({ headers: { 'Content-Type': 'application/json' }, body });

/** Writes whole HTTP requests for `requests.lua`: of each its length, a line break, its bytes. @returns the file's path */
export function writeRequests(path, target, requests) {
  const written = requests.map(({ headers, body }) => {
    const fields = Object.entries({ Host: '127.0.0.1', ...headers, 'Content-Length': Buffer.byteLength(body) });
    const head = [`POST ${target} HTTP/1.1`, ...fields.map(([name, value]) => `${name}: ${value}`)].join('\r\n');
    const request = Buffer.concat([Buffer.from(`${head}\r\n\r\n`), Buffer.from(body)]);
    return Buffer.concat([Buffer.from(`${request.length}\n`), request]);
  });
  writeFileSync(path, Buffer.concat(written));
  return path;
}
