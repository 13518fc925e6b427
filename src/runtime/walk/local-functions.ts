import { OnnxRefused } from './onnx-refused';
import { described, isOfEngine, type Operator } from './operator';
import { MAX_DEPTH } from './value-info';

/** Nodes that a model may have, those of subgraphs and functions with them. */
export const MAX_NODES = 100_000;

/** A piece of a model that has nodes: a graph with its subgraphs, or a function. */
export class Body {
  nodes = 0;
  /** how often each operator is there, by its key */
  readonly calls = new Map<string, { readonly operator: Operator; times: number }>();

  /** @param title 'the graph', 'the function "f"' */
  constructor(readonly title: string) {}

  /** Counts a node. */
  add(operator: Operator): void {
    this.nodes++;
    const call = this.calls.get(operator.key);
    if (call) call.times++;
    else this.calls.set(operator.key, { operator, times: 1 });
  }
}

/** A body with all that it calls put in its place. */
interface Unfolded {
  readonly nodes: number;
  readonly depth: number;
}

/**
 * Holds what the bodies of a model call against the engine's domains and against the functions that the model brings (by key).
 * @throws OnnxRefused on an operator that is neither, on functions that call themselves, and on calls that unfold to too many nodes
 */
export function checkCalls(bodies: readonly Body[], functions: ReadonlyMap<string, Body>): void {
  const unfolded = new Map<Body, Unfolded>();
  const unfold = (body: Body, trail: readonly Body[]): Unfolded => {
    const known = unfolded.get(body);
    if (known !== undefined) return known;
    if (trail.includes(body)) throw new OnnxRefused(`${body.title} calls itself: unroll it`);
    let [nodes, depth] = [body.nodes, 0];
    for (const [key, { operator, times }] of body.calls) {
      const callee = functions.get(key);
      if (callee === undefined && !isOfEngine(operator)) throw new OnnxRefused(unknown(operator, body));
      if (callee === undefined) continue;
      if (trail.length === MAX_DEPTH) throw new OnnxRefused(tooDeep(body));
      const inner = unfold(callee, [...trail, body]);
      [nodes, depth] = [nodes + times * inner.nodes, Math.max(depth, inner.depth + 1)];
    }
    if (depth > MAX_DEPTH) throw new OnnxRefused(tooDeep(body));
    if (nodes > MAX_NODES) throw new OnnxRefused(`${body.title} unfolds to more than ${MAX_NODES} nodes: make the model smaller`);
    unfolded.set(body, { nodes, depth });
    return { nodes, depth };
  };
  for (const body of [...bodies, ...functions.values()]) unfold(body, []);
}

const tooDeep = ({ title }: Body): string => `calls of functions in ${title} lie more than ${MAX_DEPTH} deep: inline them`;

function unknown(operator: Operator, { title }: Body): string {
  return `${described(operator)} in ${title} is not one of the engine's: export the model with standard ONNX operators only`;
}
