import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { version as tfjs } from '@tensorflow/tfjs-core/package.json';
import { version as onnxruntime } from 'onnxruntime-node/package.json';

/** The engines that engine processes can run models with, and their versions. */
export interface InstalledEngines {
  readonly onnxruntime: string;
  readonly tfjs: string;
  /** TensorFlow's own library; null: the optional package is not installed, or lacks its addon. */
  readonly 'tfjs-node': string | null;
}

/** Looked up once: packages come and go with the process. */
export const INSTALLED_ENGINES: InstalledEngines = { onnxruntime, tfjs, 'tfjs-node': nodeVersion() };

function nodeVersion(): string | null {
  try {
    const manifest = require.resolve('@tensorflow/tfjs-node/package.json');
    const addon = existsSync(join(dirname(manifest), 'lib', 'napi-v8', 'tfjs_binding.node'));
    return addon ? (require(manifest) as { readonly version: string }).version : null;
  } catch {
    return null;
  }
}
