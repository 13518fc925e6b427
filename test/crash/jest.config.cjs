// The crash tests. Most wait for processes that they start, and bear company; the others run one by one, when nobody else is at work.
const { join } = require('node:path');
const { maxWorkers, moduleFileExtensions, modulePathIgnorePatterns, testEnvironment, testTimeout, transform, transformIgnorePatterns } = require('../../jest.config.cjs'); // prettier-ignore

const rootDir = join(__dirname, '..', '..');
const shared = {
  rootDir,
  moduleFileExtensions,
  modulePathIgnorePatterns,
  testEnvironment,
  testTimeout,
  transform,
  transformIgnorePatterns,
};

/** What measures memory, descriptors or time: it wants the machine for itself. */
const alone = 'test/crash/(engine-[a-z]+|lost-answers|upload-memory)\\.spec\\.ts$';

module.exports = {
  rootDir,
  maxWorkers,
  projects: [
    {
      ...shared,
      displayName: 'side by side',
      testRegex: 'test/crash/.*[a-z]\\.spec\\.ts$',
      testPathIgnorePatterns: ['/node_modules/', alone],
    },
    {
      ...shared,
      displayName: 'alone',
      testRegex: alone,
      testPathIgnorePatterns: ['/node_modules/'],
      runner: '<rootDir>/test/crash/alone.cjs',
    },
  ],
};
