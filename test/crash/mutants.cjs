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
    const { put } = FileBlobStore.prototype;
    let last = Promise.resolve();
    FileBlobStore.prototype.put = async function (...args) {
      last = new Promise((resolve) => setTimeout(resolve, 30)).then(() => put.apply(this, args));
      return { name: args[1] ?? args[0].digest, bytes: args[0].bytes };
    };
    const { discardAfter } = { discardAfter: () => last };
    const { ModelRegistry } = dist('models/model-registry.service');
    const { publish } = ModelRegistry.prototype;
    ModelRegistry.prototype.publish = async function (upload, ...rest) {
      const { discard } = upload.file.blob;
      const published = await publish.call(
        this,
        { ...upload, file: { ...upload.file, blob: { ...upload.file.blob, discard: async () => {} } } },
        ...rest,
      );
      await discardAfter().finally(discard);
      return published;
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
    const { BlobCollector } = dist('models/blob-collector');
    const { collect } = BlobCollector.prototype;
    BlobCollector.prototype.collect = async function (...args) {
      const referenced = this.state.referenced();
      for await (const { name } of this.blobs.list()) if (!referenced.has(name)) await this.blobs.remove(name);
      return collect.apply(this, args);
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
