// Faults that a harness must catch: each takes one promise of the storage away. See registry-driver.cjs.
const fs = require('node:fs/promises');
const { join } = require('node:path');

const MUTANTS = {
  /** Names are not flushed: a power cut may forget them. */
  'no-folder-fsync': (dist) => {
    dist('storage/durable-files').DurableFiles.prototype.flushFolder = async () => {};
  },
  /** Bytes are not flushed: a power cut may leave an empty file under a good name. */
  'no-file-fsync': () => mutateFileHandle('sync', async () => {}),
  /** The event before the bytes: a kill in between leaves a version without a file. */
  'event-before-blob': (dist) => {
    const { FileBlobStore } = dist('storage/file-blob.store');
    const { FileEventLog } = dist('storage/file-event.log');
    const { put } = FileBlobStore.prototype;
    const { append } = FileEventLog.prototype;
    const newLog = dist('storage/new-log');
    const { createLog } = newLog;
    const late = [];
    const putLate = async () => {
      for (const each of late.splice(0)) await each();
    };
    FileBlobStore.prototype.put = async function (staged, name = staged.digest) {
      late.push(() => put.call(this, staged, name));
      return { name, bytes: staged.bytes };
    };
    FileEventLog.prototype.append = async function (...args) {
      const entry = await append.apply(this, args);
      await putLate();
      return entry;
    };
    newLog.createLog = async (...args) => {
      await createLog(...args);
      await putLate();
    };
  },
  /** A whole log gets its name first, and its events are flushed then: a power cut may leave empty files in it. */
  'log-before-its-events': (dist) => {
    const newLog = dist('storage/new-log');
    const { DurableFiles } = dist('storage/durable-files');
    const { createLog } = newLog;
    newLog.createLog = async (root, events) => {
      const { flush } = DurableFiles.prototype;
      DurableFiles.prototype.flush = async () => {};
      await createLog(root, events).finally(() => (DurableFiles.prototype.flush = flush));
      const files = new DurableFiles(root);
      for (const name of await fs.readdir(join(root, 'log'))) {
        const file = await fs.open(join(root, 'log', name));
        await files.flush(file);
        await file.close();
      }
      for (const folder of [join(root, 'log'), root, join(root, '..')]) await files.flushFolder(folder);
    };
  },
  /** A taken name is taken again: who loses the race for a number believes that it won. */
  'eexist-ignored': (dist) => {
    const { DurableFiles } = dist('storage/durable-files');
    const { claim } = DurableFiles.prototype;
    DurableFiles.prototype.claim = async function (staged, path) {
      if (!(await claim.call(this, staged, path))) await this.replace(staged, path);
      return true;
    };
  },
  /** The bytes go before the event that condemns them: whoever publishes them in between is left without. */
  'unlink-before-event': (dist) => {
    const { BlobCollector } = dist('models/upkeep/blob-collector');
    const { collect } = BlobCollector.prototype;
    BlobCollector.prototype.collect = function (...args) {
      const { journal, blobs, state } = this;
      const commit = async (...decision) => {
        const referenced = state.referenced();
        for await (const { name } of blobs.list()) if (!referenced.has(name)) await blobs.remove(name);
        return journal.commit(...decision);
      };
      return collect.apply(Object.create(this, { journal: { value: { commit } } }), args);
    };
  },
  /** The objects of a snapshot go before the event that deletes it: until then it is listed without them. */
  'objects-before-tombstone': (dist) => {
    const { Pruner } = dist('backup/retention/pruner');
    const { bury } = Pruner.prototype;
    Pruner.prototype.bury = async function (ids, ...args) {
      const history = await this.repository.history();
      for (const id of ids) await this.repository.blobs.remove(history.manifestBlob(id));
      return bury.call(this, ids, ...args);
    };
  },
  /** The objects go before the event that condemns them: a snapshot that is being taken meanwhile believes that it has them. */
  'objects-before-condemned': (dist) => {
    const { ObjectCollector } = dist('backup/retention/object-collector');
    const { collect } = ObjectCollector.prototype;
    ObjectCollector.prototype.collect = async function (plan, ...args) {
      for (const name of plan.remove) await this.repository.blobs.remove(name);
      return collect.call(this, plan, ...args);
    };
  },
  /** The event says nothing of the key: whoever asks again is given it again. */
  'key-forgotten': (dist) => {
    const { RegistryJournal } = dist('models/registry/registry-journal');
    const { commit } = RegistryJournal.prototype;
    RegistryJournal.prototype.commit = function (actor, decide) {
      const forget = ({ idempotencyKey: _, ...decision }) => decision;
      return commit.call(this, actor, () => {
        const decision = decide();
        return decision && forget(decision);
      });
    };
  },
  /** Whatever is in use is deleted. */
  'delete-unchecked': (dist) => {
    dist('models/registry/version-deletion').VersionDeletion.prototype.refuseInUse = () => {};
  },
  /** What comes back is not asked whether its bytes are still called what they were called when they were written. */
  'undelete-unasked': (dist) => {
    const { VersionDeletion } = dist('models/registry/version-deletion');
    const { bringBack } = VersionDeletion.prototype;
    VersionDeletion.prototype.bringBack = function (model, gone, commit) {
      return bringBack.call(this, model, gone, (_, versions) => commit(() => true, versions));
    };
  },
  /** Written under its name at once, without a staged file: a kill leaves half of it there. */
  'no-staging': (dist) => {
    const { DurableFiles } = dist('storage/durable-files');
    DurableFiles.prototype.claim = async function (staged, path) {
      await fs.mkdir(join(path, '..'), { recursive: true });
      const bytes = await fs.readFile(staged);
      const file = await fs.open(path, 'wx');
      for (let at = 0; at < bytes.length; at += 64) {
        await file.write(bytes, at, Math.min(64, bytes.length - at));
        await file.sync();
      }
      await file.close();
      return true;
    };
  },
};

function mutateFileHandle(method, replacement) {
  const { open } = fs;
  fs.open = async (...args) => Object.assign(await open(...args), { [method]: replacement });
}

exports.MUTANTS = Object.keys(MUTANTS);
exports.mutate = (name, dist) => MUTANTS[name](dist);
