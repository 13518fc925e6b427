// Our server as it is run: its log in a file, keys off, everything else as it comes.
import { openAsBlob, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Program } from './program.mjs';

const ROOT = join(import.meta.dirname, '../..');
const require = createRequire(import.meta.url);

/** Whether this server knows a setting of that name. */
export function knowsSetting(name) {
  const { CONFIG_GROUPS } = require(join(ROOT, 'dist/config/app-config'));
  const { settingsOf } = require(join(ROOT, 'dist/config/setting'));
  return CONFIG_GROUPS.flatMap((group) => settingsOf(group)).some((setting) => setting.name === name);
}

/**
 * @param name of its folders in `folder` @param models the registry's folder, where it is not to be a fresh one @param preload file that runs
 * before the server @param node the binary that runs it
 */
export async function startOurs({ name, folder, models, settings = {}, preload, node = process.execPath }) {
  const modelsDir = models ?? join(folder, `${name}-models`);
  const fixed = {
    HOST: '127.0.0.1',
    AUTH_MODE: 'none',
    RATE_LIMIT_PER_SECOND: '0',
    EXAMPLES: 'off',
    DRAIN_SECONDS: '0',
    CACHE_TTL_SECONDS: '0', // what is measured here is the computing of answers
    MODELS_DIR: modelsDir,
  };
  const args = [...(preload === undefined ? [] : ['--require', preload]), join(ROOT, 'dist/main.js')];
  const command = (port) => ({ file: node, args, env: { ...fixed, TMPDIR: folder, ...settings, PORT: String(port) } });
  const program = await Program.start({ command, log: join(folder, `${name}.log`) });
  return program.ready((origin) => fetch(`${origin}/health/ready`));
}

/** Uploads a model into production. */
export async function publish({ origin }, name, file, metadata = {}) {
  const form = new FormData();
  for (const [key, value] of Object.entries({ name, stage: 'production', metadata: JSON.stringify(metadata) })) form.set(key, value);
  form.set('file', file, 'model.onnx');
  const response = await fetch(`${origin}/api/v1/models`, { method: 'POST', body: form });
  if (response.status !== 201) throw new Error(await response.text());
}

export const EXAMPLES = ['iris', 'fuel-economy', 'market'];
const example = (name, file) => join(ROOT, 'examples', name, file);

export async function publishExample(server, name) {
  const { description: _, tags: __, ...metadata } = JSON.parse(readFileSync(example(name, 'metadata.json'), 'utf8'));
  await publish(server, name, await openAsBlob(example(name, 'model.onnx')), metadata);
}

/** @throws where an example does not answer */
export async function askExample({ origin }, model, like = model) {
  const body = readFileSync(example(like, 'request.json'));
  const headers = { 'Content-Type': 'application/json' };
  const response = await fetch(`${origin}/api/v1/predict/${model}`, { method: 'POST', headers, body });
  if (response.status !== 200) throw new Error(await response.text());
}
