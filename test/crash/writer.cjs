// One of many processes that change one registry at once, in two lanes each, without a server and without an engine. Every operation
// is written to a history of its own, one JSON object a line, at once: when it was called, and when and how it returned. The clock is
// CLOCK_MONOTONIC, which all processes share. `linearizability.ts` judges the histories, `writers.ts` starts and kills the processes.
//
// usage: node writer.cjs ROOT HISTORY NAME SEED [--mutant NAME]
//   standard input:  `quiet`: begin nothing new; `fold`: say what the registry is; its end: end
//   standard output: `open`, `quiet`, then the summary of every model as JSON
const { createHash } = require('node:crypto');
const { openSync, writeSync } = require('node:fs');
const { setTimeout: sleep } = require('node:timers/promises');
const { Logger } = require('@nestjs/common');
const { mutate } = require('./mutants.cjs');
const { dist, registryHouse } = require('./registry-house.cjs');

const LANES = 2;
/** One of them is deleted whole: it never has a production version or an alias, but for a mistake. */
const SHORT_LIVED = 'd';
const MODELS = ['a', 'b', 'c', SHORT_LIVED];
const ALIASES = ['best', 'next', 'safe'];
const HOUR_MS = 3_600_000;
/** Longer than any clock is wrong: whatever was deleted is kept for so long, or was deleted longer ago. */
const CENTURY_MS = 100 * 365 * 24 * HOUR_MS;
const MAX_PAUSE_MS = 10;
const MAX_LINGER_MS = 40;
/** So long the same few texts are the ones that everybody publishes and loses: then they may stay, and new ones are fought for. */
const CONTESTED_NS = 400_000_000n;

const [root, historyPath, name, seed, , mutant] = process.argv.slice(2);
if (mutant !== undefined) mutate(mutant, dist);

Logger.overrideLogger(false);
const { CorrelationContext } = dist('logging/correlation-context');
const { DurableFiles } = dist('storage/durable-files');
const { FileBlobStore } = dist('storage/file-blob.store');
const { FileEventLog } = dist('storage/file-event.log');
const { LOG_START } = dist('storage/event-log.port');
const { RegistryState } = dist('models/registry/registry-state');

const history = openSync(historyPath, 'a');
const note = (value) => writeSync(history, `${JSON.stringify(value)}\n`);
const say = (text) => writeSync(1, `${text}\n`);
const now = () => process.hrtime.bigint();

/** A generator of numbers in [0, 1): the same seed, the same numbers (mulberry32). */
function random(text) {
  let at = createHash('sha256').update(text).digest().readUInt32LE();
  return () => {
    at = (at + 0x6d2b79f5) | 0;
    let mixed = Math.imul(at ^ (at >>> 15), 1 | at);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const chance = random(`${seed} ${name}`);
const below = (count) => Math.floor(chance() * count);
const oneOf = (list) => list[below(list.length)];

/** Now and then a process is slow where it hurts: between what it saw and what it does about it. Nothing else is changed by this. */
function lingerBefore(type, ...methods) {
  for (const method of methods) {
    const original = type.prototype[method];
    type.prototype[method] = async function (...args) {
      if (chance() < 0.1) await sleep(chance() * MAX_LINGER_MS);
      return original.apply(this, args);
    };
  }
}
lingerBefore(DurableFiles, 'claim', 'replace', 'flushFolder');
lingerBefore(FileEventLog, 'append');
lingerBefore(FileBlobStore, 'put', 'holds', 'remove');

/** What the registry says of a model and its last versions, in a form that the checker makes of the log by itself. */
function summaryOf(model, last = Infinity) {
  const versions = [...model.versions.values()].sort((a, b) => a.version - b.version).slice(-last);
  const rows = versions.map(({ version, digest, manifest, blob, stage }) => [version, digest, manifest.files[0].sha256, blob, stage]);
  const aliases = [...model.aliases].sort(([a], [b]) => (a < b ? -1 : 1));
  const deleted = [...model.deletedVersions].map(([version, { deletion }]) => [version, deletion.seq]).sort(([a], [b]) => a - b);
  const { highest, production, past, deletion } = model;
  const whole = JSON.stringify([model.name, model.versions.size, highest, production?.version ?? null, rows, aliases, past, deleted, deletion?.seq ?? null]); // prettier-ignore
  return { model: model.name, rows: rows.length, whole: createHash('sha256').update(whole).digest('hex') };
}

async function main() {
  const { blobs, log, state, journal, stages, description, deletion, uploads, collector, stage: stageChunks } = registryHouse(root);
  const all = (of = state) => [...of.list(), ...of.listDeleted()];
  let quiet = false;
  let count = 0;

  /** Waits for what others wrote, then looks: nothing can come in between. */
  const look = async (read) => {
    let seen;
    await journal.commit(name, () => {
      seen = { seq: state.position.seq, hash: state.position.hash, ...read() };
    });
    return seen;
  };

  const text = () => (chance() < 0.6 ? `contested ${now() / CONTESTED_NS} ${below(6)}` : `${name} ${++count} ${seed}`);
  const stage = (content) => stageChunks([Buffer.from(content)]);
  const known = () => oneOf(state.list().filter(({ versions }) => versions.size > 0));
  const lasting = () => oneOf(state.list().filter((model) => model.versions.size > 0 && model.name !== SHORT_LIVED));
  const recent = (versions) => oneOf([...versions.keys()].slice(-8)); // few, so that they are fought for
  const change = { actor: name };

  /** Each makes what it will ask for, and then asks. @returns [what is asked, the asking], or undefined where there is nothing to ask */
  const operations = {
    publish() {
      const model = oneOf(MODELS);
      const production = model !== SHORT_LIVED && chance() < 0.1;
      const version = chance() < 0.15 ? (state.find(model)?.highest ?? 0) + 1 : undefined;
      const [content, file] = [text(), oneOf(['model.onnx', 'other.onnx'])];
      const sha256 = createHash('sha256').update(content).digest('hex');
      const ask = async () => {
        const blob = await stage(content);
        const upload = {
          model,
          file: { name: file, blob },
          metadata: {},
          ...(production && { stage: 'production' }),
          ...(version && { version }),
        };
        const { record, created } = await uploads.accept(upload, { actor: name });
        return { model, version: record.version, created, digest: record.digest, sha256: blob.digest, blob: record.blob };
      };
      return [{ model, sha256, file, production, version }, ask];
    },
    move(wanted = oneOf(['production', 'production', 'production', 'archived', 'staging'])) {
      const model = lasting();
      if (model === undefined) return undefined;
      const version = recent(model.versions);
      const args = { model: model.name, version, stage: wanted };
      return [args, async () => void (await stages.move(model.name, version, wanted, change))];
    },
    rollback() {
      const model = lasting();
      if (model === undefined) return undefined;
      const key = chance() < 0.4 ? `rollback-${now() / CONTESTED_NS}` : undefined; // many ask for it, and one does it
      const ask = async () => {
        const { version } = await stages.rollback(model.name, { ...change, ...(key && { idempotencyKey: key }) });
        return { version };
      };
      return [{ model: model.name, ...(key && { key }) }, ask];
    },
    alias() {
      const model = lasting();
      if (model === undefined) return undefined;
      const [alias, version] = [oneOf(ALIASES), recent(model.versions)];
      return [{ model: model.name, alias, version }, async () => void (await description.setAlias(model.name, alias, version, change))];
    },
    unalias() {
      const model = lasting();
      if (model === undefined) return undefined;
      const alias = oneOf(ALIASES);
      return [{ model: model.name, alias }, () => description.removeAlias(model.name, alias, change)];
    },
    delete() {
      const model = known();
      if (model === undefined) return undefined;
      const version = recent(model.versions);
      return [{ model: model.name, version }, () => deletion.deleteVersion(model.name, version, change)];
    },
    undelete() {
      const model = oneOf(state.list().filter(({ deletedVersions }) => deletedVersions.size > 0));
      if (model === undefined) return undefined;
      const version = recent(model.deletedVersions);
      const ask = async () => ({ blob: (await deletion.undeleteVersion(model.name, version, change)).blob });
      return [{ model: model.name, version }, ask];
    },
    deleteModel() {
      const model = chance() < 0.9 ? SHORT_LIVED : oneOf(MODELS);
      return [{ model }, () => deletion.deleteModel(model, change)];
    },
    undeleteModel() {
      const model = SHORT_LIVED;
      return [{ model }, async () => void (await deletion.undeleteModel(model, change))];
    },
    collect() {
      const minAgeMs = oneOf([0, 0, 0, HOUR_MS]);
      const deleted = oneOf(['kept', 'kept', 'gone']);
      const limits = { minAgeMs, undeleteMs: deleted === 'kept' ? CENTURY_MS : -CENTURY_MS };
      return [{ minAgeMs, deleted }, async () => ({ condemned: (await collector.collect(name, limits)).condemned })];
    },
    orphan() {
      const content = text();
      const ask = async () => {
        const blob = await stage(content);
        await blobs.put(blob, state.blobName(blob.digest));
        await blob.discard();
        return { sha256: blob.digest };
      };
      return [{}, ask];
    },
    read() {
      const model = oneOf(MODELS);
      const last = () => all().filter((found) => found.name === model).map((found) => summaryOf(found, 50)); // prettier-ignore
      return [{ model }, () => look(() => ({ models: last() }))];
    },
    refold() {
      const fold = async () => {
        const fresh = new RegistryState();
        for await (const entry of log.read(LOG_START)) fresh.apply(entry);
        return { seq: fresh.position.seq, hash: fresh.position.hash, models: all(fresh).map((model) => summaryOf(model)) };
      };
      return [{}, fold];
    },
    verify() {
      const model = known();
      if (model === undefined) return undefined;
      const record = oneOf([...model.versions.values()].slice(-8));
      const { version, blob } = record;
      return [{ model: model.name, version, blob }, async () => ({ whole: await blobs.verify(blob) })];
    },
    checkpoint: () => [{}, () => journal.saveCheckpoint()],
  };
  const weights = {
    ...{ publish: 36, move: 14, collect: 14, orphan: 16, read: 12, verify: 8, refold: 0.4, checkpoint: 0.4 },
    ...{ rollback: 8, alias: 6, unalias: 3, delete: 10, undelete: 9, deleteModel: 1, undeleteModel: 1.5 },
  };
  if (journal.saveCheckpoint === undefined) delete weights.checkpoint;

  const pick = () => {
    let at = chance() * Object.values(weights).reduce((sum, weight) => sum + weight, 0);
    return Object.keys(weights).find((kind) => (at -= weights[kind]) < 0) ?? 'read';
  };

  const perform = async (kind, id, args, ask) => {
    note({ id, kind, args, invoked: String(now()) });
    try {
      const result = await CorrelationContext.run({ correlationId: id }, ask);
      note({ id, returned: String(now()), result: result ?? {} });
    } catch (error) {
      note({ id, returned: String(now()), error: error.code ?? String(error), message: String(error.message).slice(0, 300) });
    }
  };

  const lane = async (_, number) => {
    for (let serial = 1; !quiet; serial++) {
      const kind = pick();
      const [args, ask] = operations[kind]() ?? [];
      if (ask !== undefined) await perform(kind, `${name}/${number}-${serial}`, args, ask);
      await sleep(chance() * MAX_PAUSE_MS);
    }
  };

  await perform('open', `${name}/open-1`, {}, async () => {
    await journal.onModuleInit();
    return { seq: state.position.seq, hash: state.position.hash };
  });
  say('open');
  const lanes = Array.from({ length: LANES }, lane);

  let commands = '';
  for await (const chunk of process.stdin.setEncoding('utf8')) {
    commands += chunk;
    for (let end = commands.indexOf('\n'); end >= 0; end = commands.indexOf('\n')) {
      const command = commands.slice(0, end);
      commands = commands.slice(end + 1);
      if (command === 'quiet') {
        quiet = true;
        await Promise.all(lanes);
        say('quiet');
      }
      if (command === 'fold') say(JSON.stringify(await look(() => ({ models: all().map((model) => summaryOf(model)) }))));
    }
  }
  process.exit(0); // its parent is gone, or has heard enough
}

void main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
