import { CONTAINERS } from './layer-classes';
import { isObject, type JsonObject } from './json-values';

/** Activations by the names that Keras 3 has for them. */
const RENAMED: Readonly<Record<string, string>> = { silu: 'swish' };

/**
 * A topology of Keras 3 in the words of Keras 2, the only ones that the library understands; one of Keras 2 stays what it is.
 * Input shapes and datatypes have other names, functions and calls other forms.
 */
export function asKeras2(topology: JsonObject): JsonObject {
  return isKeras3(topology) ? (rewritten(topology) as JsonObject) : topology;
}

/** Each object of Keras 3 says which module it is from. */
function isKeras3(topology: JsonObject): boolean {
  const { module, config } = topology;
  const layers = isObject(config) ? config['layers'] : undefined;
  return (
    typeof module === 'string' || (Array.isArray(layers) && layers.some((layer) => isObject(layer) && typeof layer['module'] === 'string'))
  );
}

function rewritten(value: unknown, key = ''): unknown {
  if (Array.isArray(value)) return value.map((each) => rewritten(each));
  if (!isObject(value)) return key.endsWith('activation') && typeof value === 'string' ? (RENAMED[value] ?? value) : value;
  if (value['class_name'] === 'DTypePolicy' && isObject(value['config'])) return value['config']['name'];
  // a function as an object: its name is all there is to it
  if (value['class_name'] === 'function' && typeof value['config'] === 'string') return rewritten(value['config'], key);
  const entries = Object.entries(value).filter(([name]) => !['module', 'registered_name', 'build_config', 'compile_config'].includes(name));
  const made = Object.fromEntries(entries.map(([name, each]) => renamed(name, each)));
  if (made['class_name'] === 'Bidirectional') return withoutPrefix(made);
  return Array.isArray(made['layers']) ? withCallsCounted(made, made['layers'] as readonly unknown[]) : made;
}

/** Keras 3 names the layer within after its direction; the library does so itself. */
function withoutPrefix(bidirectional: JsonObject): JsonObject {
  const config = isObject(bidirectional['config']) ? bidirectional['config'] : {};
  const layer = isObject(config['layer']) ? config['layer'] : {};
  const own = isObject(layer['config']) ? layer['config'] : {};
  const name = typeof own['name'] === 'string' ? own['name'].replace(/^forward_/, '') : own['name'];
  return { ...bidirectional, config: { ...config, layer: { ...layer, config: { ...own, name } } } };
}

/**
 * In Keras 2 the first call of a model that is a layer is that which made it. Keras 3 counts that one only where the ends of a model are told, and
 * of functional models only.
 */
function withCallsCounted(model: JsonObject, layers: readonly unknown[]): JsonObject {
  const called = (classes: ReadonlySet<string>): ReadonlySet<unknown> =>
    new Set(layers.filter((layer) => isObject(layer) && classes.has(String(layer['class_name']))).map((layer) => (layer as JsonObject)['name'])); // prettier-ignore
  const [within, ends] = [called(CONTAINERS), called(new Set(['Sequential']))];
  const inner = layers.map((layer) => (isObject(layer) && Array.isArray(layer['inbound_nodes']) ? { ...layer, inbound_nodes: layer['inbound_nodes'].map((call: unknown) => counted(call, within)) } : layer)); // prettier-ignore
  const outer = ['input_layers', 'output_layers'].filter((key) => key in model).map((key) => [key, counted(model[key], ends)] as const);
  return { ...model, layers: inner, ...Object.fromEntries(outer) };
}

/** @param tensors each as [layer, node, tensor, …] @param models the layers with a call more */
function counted(tensors: unknown, models: ReadonlySet<unknown>): unknown {
  if (!Array.isArray(tensors)) return tensors;
  return tensors.map((tensor: unknown) => {
    if (!Array.isArray(tensor) || !models.has(tensor[0]) || typeof tensor[1] !== 'number') return tensor;
    return tensor.with(1, tensor[1] + 1) as readonly unknown[];
  });
}

function renamed(key: string, value: unknown): readonly [string, unknown] {
  if (key === 'batch_shape') return ['batch_input_shape', value];
  if (key === 'inbound_nodes' && Array.isArray(value)) return [key, value.map((call: unknown) => (isObject(call) ? tensorsIn([call['args'], call['kwargs']]) : call))]; // prettier-ignore
  if ((key === 'input_layers' || key === 'output_layers') && Array.isArray(value) && typeof value[0] === 'string') return [key, [value]];
  return [key, rewritten(value, key)];
}

/** The tensors among the arguments of a call, as [layer, node, tensor, arguments]. */
function tensorsIn(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value.flatMap(tensorsIn);
  if (!isObject(value)) return [];
  if (value['class_name'] !== '__keras_tensor__') return Object.values(value).flatMap(tensorsIn);
  const history = isObject(value['config']) ? value['config']['keras_history'] : undefined;
  return [[...(Array.isArray(history) ? (history as readonly unknown[]) : []), {}]];
}
