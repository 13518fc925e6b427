// Does real registry work on a folder, without a server and without an engine, and says on standard output what was acknowledged: one JSON
// object a line, written at once. The crash harnesses kill it, cut its power, and fail its system calls.
//
// usage: node registry-driver.cjs ROOT [--mutant NAME] STEP...
//   publish:MODEL:TEXT[:STAGE]   upload a file of that text (a repeated `x1000000` makes it long: TEXTx1000000)
//   promote:MODEL:VERSION        move a version into production
//   archive:MODEL:VERSION        move a version out of production
//   rollback:MODEL               bring back what was in production before
//   alias:MODEL:ALIAS:VERSION    point an alias at a version
//   unalias:MODEL:ALIAS          take it away
//   delete:MODEL[:VERSION]       delete a version, or the model
//   undelete:MODEL[:VERSION]     bring it back
//   collect                      take away what no version needs, however young; what was deleted may come back
//   purge                        take away also what was deleted
//   condemn                      as purge, but die, so to speak, between the event and the bytes
//   orphan:TEXT                  put a blob without an event, as an upload does that is lost in between
//   checkpoint                   write a checkpoint of the state
// a step may end in @KEY, its Idempotency-Key: under it the step is done once, however often it is asked for
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

  /** Each takes the change that is asked for, and then the words of its step. */
  const steps = {
    async publish(change, model, text, wanted) {
      const blob = await stage(contentOf(text));
      const upload = { model, file: { name: 'model.onnx', blob }, metadata: {}, ...(wanted && { stage: wanted }) };
      const { record } = await uploads.accept(upload, change);
      return { model, version: record.version, sha256: blob.digest, blob: record.blob };
    },
    async promote(change, model, version) {
      await stages.move(model, Number(version), 'production', change);
      return { model, version: Number(version) };
    },
    async archive(change, model, version) {
      await stages.move(model, Number(version), 'archived', change);
      return { model, version: Number(version) };
    },
    async rollback(change, model) {
      return { model, version: (await stages.rollback(model, change)).version };
    },
    async alias(change, model, alias, version) {
      await description.setAlias(model, alias, Number(version), change);
      return { model, alias, version: Number(version) };
    },
    async unalias(change, model, alias) {
      await description.removeAlias(model, alias, change);
      return { model, alias };
    },
    async delete(change, model, version) {
      if (version === undefined) await deletion.deleteModel(model, change);
      else await deletion.deleteVersion(model, Number(version), change);
      return { model, ...(version && { version: Number(version) }) };
    },
    async undelete(change, model, version) {
      if (version === undefined) await deletion.undeleteModel(model, change);
      else await deletion.undeleteVersion(model, Number(version), change);
      return { model, ...(version && { version: Number(version) }) };
    },
    async collect() {
      return { condemned: (await collector.collect('driver', { minAgeMs: 0, undeleteMs: KEPT_MS })).condemned };
    },
    async purge() {
      return { condemned: (await collector.collect('driver', { minAgeMs: 0, undeleteMs: -KEPT_MS })).condemned };
    },
    async condemn() {
      const remove = { value: async () => {} };
      const dying = Object.create(collector, { blobs: { value: Object.create(blobs, { remove }) } });
      return { condemned: (await dying.collect('driver', { minAgeMs: 0, undeleteMs: -KEPT_MS })).condemned };
    },
    async orphan(_, text) {
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
    const [asked, key] = step.split('@');
    const [name, ...args] = asked.split(':');
    const change = { actor: 'driver', ...(key && { idempotencyKey: key }) };
    try {
      say({ ack: name, ...(await steps[name](change, ...args)), ...(key && { key }) });
    } catch (error) {
      say({ error: error.code ?? String(error), step });
    }
  }
}

void main().catch((error) => {
  say({ error: error.code ?? String(error), step: 'open' });
  process.exitCode = 1;
});
