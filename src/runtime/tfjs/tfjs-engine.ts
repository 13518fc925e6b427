import { dirname } from 'node:path';
import '@tensorflow/tfjs-backend-cpu';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { backend, env, findBackend, getBackend, ready, setBackend } from '@tensorflow/tfjs-core';
import { TfjsError } from './tfjs-error';

/** What models are computed with: WebAssembly, TensorFlow's own library where it is installed, or plain JavaScript. */
export type Backend = 'wasm' | 'tfjs-node' | 'cpu';

/** The names by which the library knows them. */
const NAMES = { wasm: 'wasm', 'tfjs-node': 'tensorflow', cpu: 'cpu' } as const;

let wasmStarted = false;
let nodeStarted: boolean | undefined;

/** Makes what follows be computed with a backend; whoever runs a model asks for its own, as a process may have models of several. */
export async function useBackend(wanted: Backend): Promise<void> {
  env().set('PROD', true); // or it advertises its other packages on standard error
  if (getBackendIfAny() === NAMES[wanted]) return;
  if (wanted === 'wasm') startWasm();
  if (wanted === 'tfjs-node' && !hasNode()) throw new TfjsError('@tensorflow/tfjs-node is not installed, or its addon cannot be loaded');
  if (!(await setBackend(NAMES[wanted]))) throw new TfjsError(`the backend ${wanted} cannot be started`);
  await ready();
  if (wanted === 'wasm') guardMemory();
}

/** Whether the optional package is there, and its addon can be loaded. */
export function hasNode(): boolean {
  nodeStarted ??= startNode();
  return nodeStarted;
}

/** The library's own name of what computes now; undefined before anything did. */
function getBackendIfAny(): string | undefined {
  return wasmStarted || nodeStarted === true ? getBackend() : undefined;
}

function startWasm(): void {
  if (wasmStarted) return;
  setWasmPaths(`${dirname(require.resolve('@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm'))}/`);
  wasmStarted = true;
}

/** Where there is no memory the library would go on and write to address 0, over what is there. */
function guardMemory(): void {
  const { wasm } = backend() as unknown as { readonly wasm: { _malloc: ((bytes: number) => number) & { readonly guarded?: true } } };
  const allocate = wasm._malloc;
  if (allocate.guarded === true) return;
  const guarded = (bytes: number): number => {
    const address = allocate(bytes);
    if (address === 0 && bytes > 0) throw new TfjsError('there is no memory for what it computes');
    return address;
  };
  wasm._malloc = Object.assign(guarded, { guarded: true } as const);
}

/** Its operations call functions of `util` that Node has no more, or warns about (DEP0044): both are asked for when they are called. */
function startNode(): boolean {
  const util = require('node:util') as { isNullOrUndefined?: (value: unknown) => boolean; isArray: (value: unknown) => boolean };
  util.isNullOrUndefined ??= (value) => value === undefined || value === null;
  util.isArray = Array.isArray;
  try {
    return typeof require('@tensorflow/tfjs-node') === 'object' && findBackend('tensorflow') !== null;
  } catch {
    return false;
  }
}
