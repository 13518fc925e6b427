// An engine host whose models do harm where the first number of their input says so. The faults are real: signals, exits, memory, bytes.
// A run of a number above 2000 keeps a mebibyte.
const { writeSync } = require('node:fs');
const { OnnxModel } = require('../../dist/runtime/onnx/onnx-model.js');

const MIB = 2 ** 20;
const CHANNEL = 3;

function write(fd, megabytes) {
  for (let left = megabytes; left > 0; left--) {
    try {
      writeSync(fd, Buffer.alloc(MIB, 'garbage '));
    } catch (error) {
      if (error.code === 'EAGAIN') continue;
      return; // nobody reads any more
    }
  }
}

const FAULTS = {
  1001: () => process.kill(process.pid, 'SIGSEGV'),
  1002: () => process.abort(),
  1003: () => process.exit(3),
  1004: () => {
    for (const kept = []; ;) kept.push(Buffer.alloc(64 * MIB, 1));
  },
  1005: () => {
    for (;;);
  },
  1006: () => {
    write(1, 16);
    write(2, 16);
  },
  1007: () => write(CHANNEL, 1),
};

const kept = [];
const { run } = OnnxModel.prototype;
OnnxModel.prototype.run = function (inputs, outputs) {
  const x = Number(inputs[0]?.data[0]);
  FAULTS[x]?.();
  if (x > 2000) kept.push(Buffer.alloc(MIB, 1));
  return run.call(this, inputs, outputs);
};

module.exports = require('../../dist/runtime/hosts/host.main.js');
