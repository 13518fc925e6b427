import type { ImportReport, ModelSource } from '../model-runtime.port';
import type { Tensor } from '../tensor';

/** The file descriptor of the channel, in the host. */
export const CHANNEL_FD = 3;

/** What the server asks of an engine host. A model is known there by the digest of its source. */
export type HostRequest =
  | ({ readonly do: 'import' } & ModelSource)
  | ({ readonly do: 'load' } & ModelSource)
  | { readonly do: 'run'; readonly sha256: string; readonly inputs: readonly Tensor[]; readonly outputs: readonly string[] }
  | { readonly do: 'unload'; readonly sha256: string };

/**
 * What each request is answered with. `inferMs`: milliseconds inside the engine. `rssBytes`: memory of the whole process then; with a run
 * once a second at most.
 */
export interface HostAnswers {
  import: Omit<ImportReport, 'trials'>;
  load: { readonly rssBytes: number };
  run: { readonly outputs: readonly Tensor[]; readonly inferMs: number; readonly rssBytes?: number };
  unload: { readonly rssBytes: number };
}

/** Why a host could not do it: the file is no model, its bytes are not those asked for, or the model failed on this input. */
export type HostFault =
  | { readonly fault: 'refused' | 'failed'; readonly reason: string }
  | { readonly fault: 'damaged'; readonly expected: string; readonly actual: string };

/** A request on the channel; `id` pairs it with its reply. */
export type HostMessage = HostRequest & { readonly id: number };

/** A reply on the channel. */
export type HostReply =
  { readonly id: number; readonly value: HostAnswers[keyof HostAnswers] } | { readonly id: number; readonly error: HostFault };

/** Of what is known of a model, what a host has to know. */
export function sourceOf({ engine, path, sha256, parts, backend }: ModelSource): ModelSource {
  return { path, sha256, ...(engine && { engine }), ...(parts && { parts }), ...(backend !== undefined && { backend }) };
}
