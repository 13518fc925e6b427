import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TfjsFiles } from './tfjs-files';

/** What ships models that somebody trained; installed by the test that asks for it. */
const PACKAGES = ['nsfwjs@4.3.0', '@vladmandic/human@3.3.6'];

interface Manifest {
  readonly weightsManifest: readonly { paths: string[] }[];
}

/** The models that npm packages ship, by name. @param folder gets the packages */
export function realFiles(folder: string): ReadonlyMap<string, TfjsFiles> {
  writeFileSync(join(folder, 'package.json'), '{ "private": true }');
  execFileSync('npm', ['install', '--ignore-scripts', '--legacy-peer-deps', '--no-audit', '--no-fund', ...PACKAGES], { cwd: folder, stdio: 'pipe' }); // prettier-ignore
  const packages = join(folder, 'node_modules');
  return new Map([...ofHuman(join(packages, '@vladmandic/human/models')), ...ofNsfw(join(packages, 'nsfwjs/dist/models'))]);
}

function ofHuman(folder: string): readonly (readonly [string, TfjsFiles])[] {
  const models = readdirSync(folder).filter((name) => name.endsWith('.json') && name !== 'models.json');
  return models.map((model) => {
    const text = readFileSync(join(folder, model));
    const { weightsManifest } = JSON.parse(text.toString()) as Manifest;
    const shards = weightsManifest.flatMap(({ paths }) => paths).map((path) => [path, readFileSync(join(folder, path))] as const);
    return [model.replace('.json', ''), { 'model.json': text, ...Object.fromEntries(shards) }] as const;
  });
}

/** Each of its files is a script: an object, or base64. */
function ofNsfw(folder: string): readonly (readonly [string, TfjsFiles])[] {
  return ['inception_v3', 'mobilenet_v2', 'mobilenet_v2_mid'].map((name) => {
    const load = (file: string): unknown => JSON.parse(execFileSync(process.execPath, ['-p', `JSON.stringify(require(${JSON.stringify(join(folder, name, `${file}.min.js`))}))`], { maxBuffer: 2 ** 28 }).toString()); // prettier-ignore
    const model = load('model') as Manifest;
    const shards = model.weightsManifest.flatMap(({ paths }) => paths).map((path) => [path, Buffer.from(load(path.replace(/\.bin$/, '')) as string, 'base64')] as const); // prettier-ignore
    return [name, { 'model.json': Buffer.from(JSON.stringify(model)), ...Object.fromEntries(shards) }] as const;
  });
}
