import { env, setBackend } from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';

/** The library computes what tests build with plain JavaScript, and advertises nothing. */
export async function quietLibrary(): Promise<void> {
  env().set('PROD', true);
  await setBackend('cpu');
}
