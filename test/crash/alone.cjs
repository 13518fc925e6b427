// Jest's own runner, one test file after the other whatever the number of workers is, when those of the other runners are done.
const { default: TestRunner } = require('jest-runner');

module.exports = class AloneRunner extends TestRunner {
  isSerial = true;
};
