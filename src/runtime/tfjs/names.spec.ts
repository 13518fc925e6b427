import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { serialization } from '@tensorflow/tfjs-core';
import { version_layers } from '@tensorflow/tfjs-layers';
import { FORESTS, OPERATORS } from './graph-operators';
import { ACTIVATIONS, CONTAINERS, LAYERS } from './layer-classes';

const registered = Object.keys(serialization.SerializationMap.getMap().classNameMap);
/** What the library registers beside layers, as it registers them: with everything else of a training. */
const AROUND =
  /^(Ada|Momentum|RMSProp|SGD|Zeros|Ones|Constant$|Random(Uniform|Normal)$|TruncatedNormal|Identity|VarianceScaling|Glorot|He|LeCun|Orthogonal|MaxNorm|UnitNorm|NonNeg|MinMaxNorm|L1L2)/;
const snake = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

describe('the names that the walks know', () => {
  it('are the layers that the library has, and no other', () => {
    expect(version_layers).toBe('4.22.0'); // which registers its layers when it is loaded
    const layers = registered.filter((name) => /^[A-Z]/.test(name) && !AROUND.test(name) && !CONTAINERS.has(name));
    expect([...LAYERS].toSorted()).toEqual(layers.toSorted());
  });

  it('are its activations, but for one that it cannot find again by its name', () => {
    const activations = registered.filter((name) => /^[a-z]/.test(name)).map(snake);
    expect([...ACTIVATIONS].toSorted()).toEqual(activations.filter((name) => name !== 'gelu_new').toSorted());
  });

  it('are its operators', () => {
    const folder = join(dirname(require.resolve('@tensorflow/tfjs-converter/package.json')), 'dist/operations/op_list');
    const texts = readdirSync(folder).filter((name) => name.endsWith('.js')).map((name) => readFileSync(join(folder, name), 'utf8')); // prettier-ignore
    const operators = texts.flatMap((text) => [...text.matchAll(/'tfOpName': '(\w+)'/g)].map(([, name]) => name as string));
    expect([...OPERATORS, ...FORESTS].toSorted()).toEqual(operators.toSorted());
  });
});
