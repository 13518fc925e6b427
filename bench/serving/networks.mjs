// The models that are served, each the same at every run: written by the tests' own writer of ONNX, so no other program is needed.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import swc from '@swc/core';
import { randomFrom } from './random.mjs';

const SEED = 7;
const FLOAT = 1;
const { onnxModel, floats } = onnxWriter();

function onnxWriter() {
  const folder = mkdtempSync(join(tmpdir(), 'analytics-api-bench-'));
  const options = { module: { type: 'commonjs' }, jsc: { parser: { syntax: 'typescript' }, target: 'es2023' } };
  const source = join(import.meta.dirname, '../../test/onnx/onnx-writer.ts');
  try {
    writeFileSync(join(folder, 'onnx-writer.js'), swc.transformFileSync(source, options).code);
    return createRequire(import.meta.url)(join(folder, 'onnx-writer.js'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const value = (name, dims) => ({ name, dtype: FLOAT, dims: [null, ...dims] });
const node = (op, inputs, output, attributes) => ({ op, inputs, outputs: [output], attributes });

/** Weights that keep what goes through them of about the same size. */
function weights(random, name, dims, fanIn) {
  const length = dims.reduce((product, size) => product * size, 1);
  return floats(
    name,
    dims,
    Float32Array.from({ length }, () => ((random() * 2 - 1) * Math.sqrt(3)) / Math.sqrt(fanIn)),
  );
}

/** 10-64-64-1 with biases and ReLU. */
export function perceptron(seed = SEED) {
  const random = randomFrom(seed);
  const sizes = [10, 64, 64, 1];
  const layers = sizes.slice(1).map((size, at) => ({ at, inputs: sizes[at], size }));
  const from = (at) => (at === 0 ? 'x' : `relu-${at - 1}`);
  return onnxModel({
    graph: {
      name: 'perceptron',
      inputs: [value('x', [10])],
      outputs: [value('y', [1])],
      nodes: layers.flatMap(({ at }) => {
        const last = at === layers.length - 1;
        const sum = last ? 'y' : `sum-${at}`;
        const gemm = node('Gemm', [from(at), `weights-${at}`, `bias-${at}`], sum);
        return last ? [gemm] : [gemm, node('Relu', [sum], `relu-${at}`)];
      }),
      initializers: layers.flatMap(({ at, inputs, size }) => [
        weights(random, `weights-${at}`, [inputs, size], inputs),
        weights(random, `bias-${at}`, [size], inputs),
      ]),
    },
  });
}

const [TREES, LEAVES, FEATURES] = [100, 31, 30];

/** A tree grown as LightGBM grows one, leaf after leaf, to its default of 31; where to split is by chance, but always within the leaf. */
function grow(random) {
  const nodes = [{ ranges: Array.from({ length: FEATURES }, () => [-1, 1]) }];
  const leaves = [0];
  while (leaves.length < LEAVES) {
    const [at] = leaves.splice(Math.floor(random() * leaves.length), 1);
    const { ranges } = nodes[at];
    const split = Math.floor(random() * FEATURES);
    const [low, high] = ranges[split];
    const threshold = Math.fround(low + (high - low) * (0.25 + random() / 2));
    const [below, above] = [nodes.length, nodes.length + 1];
    nodes.push({ ranges: ranges.with(split, [low, threshold]) }, { ranges: ranges.with(split, [threshold, high]) });
    nodes[at] = { split, threshold, below, above };
    leaves.push(below, above);
  }
  return nodes;
}

/** A boosted ensemble of LightGBM's size and form: 100 trees of 31 leaves over 30 features. */
function trees() {
  const random = randomFrom(SEED);
  const nodes = Array.from({ length: TREES }, (_, tree) => grow(random).map((each, id) => ({ ...each, tree, id }))).flat();
  const leaves = nodes.filter(({ split }) => split === undefined);
  const ints = (of, make) => ({ ints: of.map(make) });
  const attributes = {
    n_targets: { int: 1 },
    nodes_treeids: ints(nodes, ({ tree }) => tree),
    nodes_nodeids: ints(nodes, ({ id }) => id),
    nodes_featureids: ints(nodes, ({ split }) => split ?? 0),
    nodes_values: { floats: nodes.map(({ threshold }) => threshold ?? 0) },
    nodes_modes: { strings: nodes.map(({ split }) => (split === undefined ? 'LEAF' : 'BRANCH_LEQ')) },
    nodes_truenodeids: ints(nodes, ({ below }) => below ?? 0),
    nodes_falsenodeids: ints(nodes, ({ above }) => above ?? 0),
    target_treeids: ints(leaves, ({ tree }) => tree),
    target_nodeids: ints(leaves, ({ id }) => id),
    target_ids: ints(leaves, () => 0),
    target_weights: { floats: leaves.map(() => (random() * 2 - 1) / TREES) },
  };
  return onnxModel({
    domains: { 'ai.onnx.ml': 3 },
    graph: {
      name: 'trees',
      inputs: [value('x', [FEATURES])],
      outputs: [value('y', [1])],
      nodes: [{ ...node('TreeEnsembleRegressor', ['x'], 'y', attributes), domain: 'ai.onnx.ml' }],
    },
  });
}

/** 28 x 28 grey pixels, two convolutions of 3 x 3 with 8 and 16 channels, ten classes. */
function convolutional() {
  const random = randomFrom(SEED);
  const conv = (from, at) => [
    node('Conv', [from, `kernel-${at}`, `offset-${at}`], `conv-${at}`, { pads: { ints: [1, 1, 1, 1] } }),
    node('Relu', [`conv-${at}`], `relu-${at}`),
    node('MaxPool', [`relu-${at}`], `pool-${at}`, { kernel_shape: { ints: [2, 2] }, strides: { ints: [2, 2] } }),
  ];
  return onnxModel({
    graph: {
      name: 'convolutional',
      inputs: [value('x', [1, 28, 28])],
      outputs: [value('y', [10])],
      nodes: [...conv('x', 0), ...conv('pool-0', 1), node('Flatten', ['pool-1'], 'flat'), node('Gemm', ['flat', 'dense', 'bias'], 'y')],
      initializers: [
        weights(random, 'kernel-0', [8, 1, 3, 3], 9),
        weights(random, 'offset-0', [8], 9),
        weights(random, 'kernel-1', [16, 8, 3, 3], 72),
        weights(random, 'offset-1', [16], 72),
        weights(random, 'dense', [784, 10], 784),
        weights(random, 'bias', [10], 784),
      ],
    },
  });
}

/** What is served: its bytes, the shape of a row, and how many rows a request of the bulk part has. */
export const NETWORKS = {
  perceptron: { about: '10-64-64-1 network', bytes: perceptron(), row: [10], bulkRows: 1024 },
  trees: { about: '100 trees of 31 leaves, 30 features (the form of a LightGBM)', bytes: trees(), row: [FEATURES], bulkRows: 1024 },
  convolutional: { about: 'small CNN, 1 x 28 x 28', bytes: convolutional(), row: [1, 28, 28], bulkRows: 64 },
};
