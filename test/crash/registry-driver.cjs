// Does real registry work on a folder, without a server and without an engine, and says on standard output what was acknowledged: one JSON
// object a line, written at once. The crash harnesses kill it, cut its power, and fail its system calls.
//
// usage: node registry-driver.cjs ROOT [--mutant NAME] STEP...
//   publish:MODEL:TEXT[:STAGE]   upload a file of that text (a repeated `x1000000` makes it long: TEXTx1000000)
//   promote:MODEL:VERSION        move a version into production
//   archive:MODEL:VERSION        move a version out of production
//   rollback:MODEL               bring back what was in production before
//   alias:MODEL:ALIAS:VERSION    point an alias at a version
//   delete:MODEL[:VERSION]       delete a version, or the model
//   undelete:MODEL[:VERSION]     bring it back
//   collect                      take away what no version needs, however young; what was deleted may come back
//   purge                        take away also what was deleted
//   orphan:TEXT                  put a blob without an event, as an upload does that is lost in between
//   checkpoint                   write a checkpoint of the state
// answers: {"ack":"publish","model":…,"version":…,"sha256":…} …, or {"error":CODE,"step":…} for a step that failed; then the next step
const { writeSync } = require('node:fs');
const { Logger } = require('@nestjs/common');
const { mutate } = require('./mutants.cjs');
const { dist, registryHouse } = require('./registry-house.cjs');

const [root, ...rest] = process.argv.slice(2);
if (rest[0] === '--mutant') {
  mutate(rest[1], dist);
  rest.splice(0, 2);
}

Logger.overrideLogger(false);
const CHANGE = { actor: 'driver' };
const KEPT_MS = 3_600_000;

const say = (value) => writeSync(1, `${JSON.stringify(value)}\n`);
const contentOf = (text) => {
  const [, word, times] = /^(.*)x(\d+)$/.exec(text) ?? [];
  return times === undefined ? [Buffer.from(text)] : Array.from({ length: Math.ceil(times / 1000) }, () => Buffer.from(word.repeat(1000)));
};

async function main() {
  const { blobs, state, journal, stages, description, deletion, uploads, collector, stage } = registryHouse(root);
  await journal.onModuleInit();
  say({ ack: 'open', seq: state.position.seq });

  const steps = {
    async publish(model, text, wanted) {
      const blob = await stage(contentOf(text));
      const upload = { model, file: { name: 'model.onnx', blob }, metadata: {}, ...(wanted && { stage: wanted }) };
      const { record } = await uploads.accept(upload, CHANGE);
      return { model, version: record.version, sha256: blob.digest, blob: record.blob };
    },
    async promote(model, version) {
      await stages.move(model, Number(version), 'production', CHANGE);
      return { model, version: Number(version) };
    },
    async archive(model, version) {
      await stages.move(model, Number(version), 'archived', CHANGE);
      return { model, version: Number(version) };
    },
    async rollback(model) {
      return { model, version: (await stages.rollback(model, CHANGE)).version };
    },
    async alias(model, alias, version) {
      await description.setAlias(model, alias, Number(version), CHANGE);
      return { model, alias, version: Number(version) };
    },
    async delete(model, version) {
      if (version === undefined) await deletion.deleteModel(model, CHANGE);
      else await deletion.deleteVersion(model, Number(version), CHANGE);
      return { model, ...(version && { version: Number(version) }) };
    },
    async undelete(model, version) {
      if (version === undefined) await deletion.undeleteModel(model, CHANGE);
      else await deletion.undeleteVersion(model, Number(version), CHANGE);
      return { model, ...(version && { version: Number(version) }) };
    },
    async collect() {
      return { condemned: (await collector.collect('driver', { minAgeMs: 0, undeleteMs: KEPT_MS })).condemned };
    },
    async purge() {
      return { condemned: (await collector.collect('driver', { minAgeMs: 0, undeleteMs: -KEPT_MS })).condemned };
    },
    async orphan(text) {
      const blob = await stage(contentOf(text));
      await blobs.put(blob, state.blobName(blob.digest));
      await blob.discard();
      return { sha256: blob.digest };
    },
    async checkpoint() {
      await journal.saveCheckpoint();
      return { seq: state.position.seq };
    },
  };
  for (const step of rest) {
    const [name, ...args] = step.split(':');
    try {
      say({ ack: name, ...(await steps[name](...args)) });
    } catch (error) {
      say({ error: error.code ?? String(error), step });
    }
  }
}

void main().catch((error) => {
  say({ error: error.code ?? String(error), step: 'open' });
  process.exitCode = 1;
});
