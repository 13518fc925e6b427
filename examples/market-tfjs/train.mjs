// Trains the market example once more, with TensorFlow.js, and writes its files.
//
//     npm ci && node examples/market-tfjs/train.mjs [FOLDER]
//
// Gets the data with `npm pack` (vega-datasets 3.2.1, data/stocks.csv). Writes model.json, group1-shard1of1.bin, metadata.json, request.json and
// golden.json into FOLDER (default: beside this script), and prints the figures of README.md. It computes with plain JavaScript, from one seed, in
// one order: running it again gives the same bytes.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// the bundles for Node: what `import` finds is for bundlers
const require = createRequire(import.meta.url);
const tf = require('@tensorflow/tfjs-core');
const { initializers, input, layers, model: functional, regularizers } = require('@tensorflow/tfjs-layers');
require('@tensorflow/tfjs-backend-cpu');

const FOLDER = process.argv[2] ?? import.meta.dirname;
const PACKAGE = 'vega-datasets@3.2.1';
const DATA_FILE = 'package/data/stocks.csv';
const DATA_SHA256 = 'f9953ac6693e587476b4ebf2f0b00d9bb95371ca8c39da4cc6155077b3e417cd';
// as in examples/market/train.py, which says why: nothing was tried out again here
const [LAST_MONTH, FIRST_HELD_OUT_MONTH] = ['2010-02', '2007-01'];
const [HIDDEN, ALPHA, SEED] = [8, 10, 0];
const [LEARNING_RATE, EPOCHS] = [0.01, 2000];
const [GOLDEN_ROWS, TOLERANCE, DRAWS] = [50, 1e-5, 10_000];
const LABELS = ['down', 'up'];
const [LOG_RETURNS, AVERAGES, VOLATILITIES] = [
  [1, 2, 3, 4, 5, 6],
  [3, 6, 12],
  [6, 12],
];
const FEATURES = [
  ...LOG_RETURNS.map((lag) => `log_return_${lag}`),
  ...AVERAGES.map((months) => `log_price_to_average_${months}`),
  ...VOLATILITIES.map((months) => `volatility_${months}`),
];

const sum = (values) => values.reduce((total, value) => total + value, 0);
const mean = (values) => sum(values) / values.length;

/** The months and the prices of each company, oldest first. */
function prices() {
  const folder = mkdtempSync(join(tmpdir(), 'market-tfjs-'));
  try {
    execFileSync('npm', ['pack', '--silent', PACKAGE], { cwd: folder, stdio: 'ignore' });
    const data = execFileSync('tar', ['-xzOf', readdirSync(folder)[0], DATA_FILE], { cwd: folder });
    if (createHash('sha256').update(data).digest('hex') !== DATA_SHA256)
      throw new Error(`${DATA_FILE} is not what this example was made from`);
    const byCompany = new Map();
    for (const line of data.toString().trim().split('\n').slice(1)) {
      const [company, date, price] = line.trim().split(',');
      const day = new Date(`${date} UTC`);
      const month = day.toISOString().slice(0, 7);
      if (month <= LAST_MONTH) byCompany.set(company, [...(byCompany.get(company) ?? []), { month, price: Number(price) }]);
    }
    return byCompany;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** From the prices of the last 13 months, the newest last. */
function featuresOf(past) {
  const returns = past.slice(1).map((price, at) => Math.log(price) - Math.log(past[at]));
  return [
    ...LOG_RETURNS.map((lag) => returns.at(-lag)),
    ...AVERAGES.map((months) => Math.log(past.at(-1) / mean(past.slice(-months)))),
    ...VOLATILITIES.map((months) => deviation(returns.slice(-months))),
  ];
}

function deviation(values) {
  const centre = mean(values);
  return Math.sqrt(sum(values.map((value) => (value - centre) ** 2)) / (values.length - 1));
}

/** A row is a company at the end of a month, asked about the next one: 1 where its price was higher then. By month and company. */
function rowsOf(byCompany) {
  const rows = [...byCompany].flatMap(([company, series]) =>
    series.slice(13).map(({ month, price }, at) => {
      const past = series.slice(at, at + 13).map((each) => each.price);
      return { month, company, features: featuresOf(past), up: price > past.at(-1) ? 1 : 0 };
    }),
  );
  const key = ({ month, company }) => `${month} ${company}`;
  return rows.sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

/** A network for features as they are: the first layer brings them to a mean of 0 and a deviation of 1. */
async function trained(rows) {
  const decay = () => regularizers.l2({ l2: ALPHA / (2 * rows.length) });
  const dense = (name, units, activation, seed) =>
    layers.dense({ name, units, activation, kernelRegularizer: decay(), kernelInitializer: initializers.glorotUniform({ seed }) });
  const network = [dense('hidden', HIDDEN, 'tanh', SEED), dense('probability', LABELS.length, 'softmax', SEED + 1)];
  const through = (symbol) => network.reduce((from, layer) => layer.apply(from), symbol);

  const columns = FEATURES.map((_, at) => rows.map(({ features }) => features[at]));
  const means = columns.map(mean);
  const variances = columns.map((column, at) => mean(column.map((value) => (value - means[at]) ** 2)));
  const scaled = rows.map(({ features }) => features.map((value, at) => (value - means[at]) / Math.sqrt(variances[at])));
  const x = input({ shape: [FEATURES.length] });
  const inner = functional({ inputs: x, outputs: through(x) });
  inner.compile({ optimizer: tf.train.adam(LEARNING_RATE), loss: 'categoricalCrossentropy' });
  const [xs, ys] = [tf.tensor2d(scaled), tf.tensor2d(rows.map(({ up }) => [1 - up, up]))];
  const { history } = await inner.fit(xs, ys, { batchSize: rows.length, epochs: EPOCHS, shuffle: false, verbose: 0, yieldEvery: 'never' });
  console.log(`loss after ${EPOCHS} epochs: ${history.loss.at(-1).toFixed(6)}, after ${EPOCHS - 100}: ${history.loss.at(-101).toFixed(6)}`);

  const features = input({ shape: [FEATURES.length], name: 'features' });
  const scale = layers.batchNormalization({ name: 'scale', center: false, scale: false, epsilon: 0 });
  const whole = functional({ inputs: features, outputs: through(scale.apply(features)), name: 'market' });
  scale.setWeights([tf.tensor1d(means), tf.tensor1d(variances)]);
  return whole;
}

/** The probabilities of each row. */
function predicted(model, rows) {
  return tf.tidy(() => model.predict(tf.tensor2d(rows.map(({ features }) => features)), { batchSize: rows.length }).arraySync());
}

function logLoss({ up }, [, chance]) {
  return -Math.log(up === 1 ? chance : 1 - chance);
}

/** Numbers from 0 up to 1 (mulberry32). */
function* chances(seed) {
  for (let state = seed; ;) {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    yield ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  }
}

/** Mean and 95 % bootstrap interval that draws whole months: companies go up and down together within one. */
function interval(rows, values) {
  const groups = [...Map.groupBy(rows.keys(), (at) => rows[at].month).values()].map((group) => group.map((at) => values[at]));
  const [totals, chance] = [groups.map(sum), chances(SEED)];
  const means = Array.from({ length: DRAWS }, () => {
    const drawn = groups.map(() => Math.floor(chance.next().value * groups.length));
    return sum(drawn.map((at) => totals[at])) / sum(drawn.map((at) => groups[at].length));
  }).sort((a, b) => a - b);
  return `${mean(values).toFixed(3)} (${means[DRAWS * 0.025].toFixed(3)} to ${means[DRAWS * 0.975].toFixed(3)})`;
}

function report(training, held, model) {
  const base = mean(training.map(({ up }) => up));
  const [seen, answers] = [predicted(model, training), predicted(model, held)];
  const right = (rows, given) => rows.map(({ up }, at) => Number(given[at][1] > 0.5 === (up === 1)));
  const losses = (rows, given) => rows.map((row, at) => logLoss(row, given[at]));
  const always = held.map((row) => logLoss(row, [1 - base, base]));
  const ups = answers.map(([, up]) => up);
  console.log(`trained on ${training.length} rows, ${training[0].month} to ${training.at(-1).month}, ${base.toFixed(3)} of them up`);
  console.log(`on them: accuracy ${mean(right(training, seen)).toFixed(3)}, log loss ${mean(losses(training, seen)).toFixed(3)}`);
  console.log(
    `held out ${held.length} rows, ${held[0].month} to ${held.at(-1).month}, ${mean(held.map(({ up }) => up)).toFixed(3)} of them up`,
  );
  console.log(
    `P(up) ${Math.min(...ups).toFixed(3)} to ${Math.max(...ups).toFixed(3)}, up for ${mean(ups.map((up) => Number(up > 0.5))).toFixed(3)}`,
  );
  const was = held.map(({ up }) => up);
  console.log(`accuracy: the model ${interval(held, right(held, answers))}, always up ${interval(held, was)}, the model less always up ${interval(held, right(held, answers).map((each, at) => each - was[at]))}`); // prettier-ignore
  const lost = losses(held, answers);
  console.log(`log loss: the model ${interval(held, lost)}, always ${base.toFixed(3)} ${interval(held, always)}, the model less that ${interval(held, lost.map((each, at) => each - always[at]))}`); // prettier-ignore
}

function write(name, content) {
  writeFileSync(join(FOLDER, name), Buffer.isBuffer(content) ? content : `${JSON.stringify(content, null, 2)}\n`);
}

/** As the format of TensorFlow.js is: the topology, and where the weights are. */
async function writeModel(model) {
  await model.save({
    save: ({ modelTopology, weightSpecs, weightData }) => {
      const paths = ['group1-shard1of1.bin'];
      write('model.json', { format: 'layers-model', modelTopology, weightsManifest: [{ paths, weights: weightSpecs }] });
      write(paths[0], Buffer.from(weightData));
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
    },
  });
}

/** 50 of the held-out rows, from the one that the model thinks likeliest to go down to the one it thinks likeliest to go up. */
function picked(held, model) {
  const answers = predicted(model, held);
  const byUp = [...held.keys()].sort((a, b) => answers[a][1] - answers[b][1]);
  const spread = Array.from({ length: GOLDEN_ROWS }, (_, at) => byUp[Math.round((at * (held.length - 1)) / (GOLDEN_ROWS - 1))]);
  return spread.map((at) => ({ ...held[at], probabilities: answers[at] }));
}

function goldenOf(rows) {
  const outputs = { probability: rows.map(({ probabilities }) => probabilities.map((value) => Number(value.toPrecision(9)))) };
  return { inputs: { features: rows.map(({ features }) => features) }, outputs, tolerance: TOLERANCE };
}

tf.env().set('PROD', true); // or it advertises its other packages
await tf.setBackend('cpu');
const rows = rowsOf(prices());
const [training, held] = [
  rows.filter(({ month }) => month < FIRST_HELD_OUT_MONTH),
  rows.filter(({ month }) => month >= FIRST_HELD_OUT_MONTH),
];
const model = await trained(training);
report(training, held, model);

const golden = picked(held, model);
const named = (features) => Object.fromEntries(FEATURES.map((name, at) => [name, features[at]]));
await writeModel(model);
write('metadata.json', {
  description: "Whether a share's price is higher next month, from its last 13 monthly prices (a small neural network). It does not beat always saying up: an example, not advice.", // prettier-ignore
  tags: ['market', 'example', 'tensorflow.js'],
  task: 'classification',
  engine: 'tfjs',
  featureNames: FEATURES,
  labels: LABELS,
  golden: [goldenOf(golden.slice(0, 1)), goldenOf(golden.slice(-2))],
});
write('request.json', { features: named(golden[0].features) });
write('golden.json', {
  library: `TensorFlow.js ${tf.version_core}`,
  rows: golden.map(({ company, month, features, probabilities, up }) => ({
    company,
    month,
    features: named(features),
    prediction: LABELS[Number(probabilities[1] > probabilities[0])],
    probabilities: Object.fromEntries(LABELS.map((label, at) => [label, probabilities[at]])),
    came: LABELS[up],
  })),
});
