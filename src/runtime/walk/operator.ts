import { quoted } from './refusal';

/** The domain of ONNX's own operators; a file may call it ai.onnx too. */
export const DEFAULT_DOMAIN = '';

const ENGINE_DOMAINS: ReadonlySet<string> = new Set([DEFAULT_DOMAIN, 'ai.onnx.ml', 'com.microsoft']);

/** What a node does: an operator of the engine, or a local function of the model. */
export interface Operator {
  /** '' for ai.onnx */
  readonly domain: string;
  readonly name: string;
  /** 'Add', 'ai.onnx.ml:Scaler' */
  readonly title: string;
  /** the same for what a model calls the same: domain, name and overload */
  readonly key: string;
}

/** Makes an operator of what a NodeProto or FunctionProto of onnx.proto says. */
export function operatorOf(domain: string, name: string, overload: string): Operator {
  const own = domain === 'ai.onnx' ? DEFAULT_DOMAIN : domain;
  return {
    domain: own,
    name,
    title: own === DEFAULT_DOMAIN ? name : `${own}:${name}`,
    key: `${own.length} ${name.length} ${own}${name}${overload}`,
  };
}

/** Whether the engine itself has operators of this domain, which no file has to bring along. */
export function isOfEngine({ domain }: Operator): boolean {
  return ENGINE_DOMAINS.has(domain);
}

/** 'the operator "Fft" of the domain "my.lab"'. */
export function described({ domain, name }: Operator): string {
  return domain === DEFAULT_DOMAIN ? `the operator ${quoted(name)}` : `the operator ${quoted(name)} of the domain ${quoted(domain)}`;
}
