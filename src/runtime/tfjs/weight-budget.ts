import { initializers, layers } from '@tensorflow/tfjs-layers';
import { quoted } from './json-values';
import { TfjsRefused } from './tfjs-refused';

type AddWeight = (this: layers.Layer, name: string, shape: readonly (number | null)[], dtype: unknown, initializer: unknown, ...more: unknown[]) => unknown; // prettier-ignore

/** How many elements the layers that are being built may still make room for; undefined: nothing is being built. */
let left: number | undefined;

/**
 * Builds a model whose layers get as much room for weights as there are weights, all zero: what a topology says it needs is not believed.
 * @param elements how many elements the weights have @throws TfjsRefused naming the layer that wants more
 */
export async function withinBudget<T>(elements: number, build: () => Promise<T>): Promise<T> {
  guard();
  left = elements;
  try {
    return await build();
  } finally {
    left = undefined;
  }
}

let guarded = false;

/** Every weight of every layer is made by this one method of the library. */
function guard(): void {
  if (guarded) return;
  guarded = true;
  const prototype = layers.Layer.prototype as unknown as { addWeight: AddWeight };
  const addWeight = prototype.addWeight;
  prototype.addWeight = function (name, shape, dtype, initializer, ...more) {
    if (left === undefined) return addWeight.call(this, name, shape, dtype, initializer, ...more);
    // a dimension that is none makes NaN, which is within no budget
    const elements = shape.reduce<number>(
      (product, dimension) => product * (dimension !== null && dimension >= 0 ? dimension : Number.NaN),
      1,
    );
    if (!(elements <= left)) {
      throw new TfjsRefused(`the layer ${quoted(this.name)} needs a weight "${name}" of the shape [${shape.join(', ')}], and weightsManifest has not so many numbers`); // prettier-ignore
    }
    left -= elements;
    return addWeight.call(this, name, shape, dtype, initializers.zeros(), ...more);
  };
}
