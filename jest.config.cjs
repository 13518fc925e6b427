const { availableParallelism } = require('node:os');

// Why swc and why these transforms: packages of Nest 12 are ESM, and jest loads ESM slowly and behind a flag. Turned to CommonJS they
// need no flag and load twice as fast.
const typescript = {
  swcrc: false,
  sourceMaps: 'inline',
  module: { type: 'commonjs' },
  jsc: {
    target: 'es2023',
    keepClassNames: true,
    externalHelpers: false,
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
  },
};
const ecmascript = { swcrc: false, module: { type: 'commonjs' }, jsc: { target: 'es2023', parser: { syntax: 'ecmascript' } } };

// every ESM-only dependency of the stack; anything else in node_modules is left alone
const esmPackages = [
  '@nestjs',
  'file-type',
  'strtok3',
  'token-types',
  'uint8array-extras',
  '@tokenizer',
  '@borewit',
  'uid',
  'load-esm',
  'canonicalize',
  'commander',
];

const covered = process.env.COVERAGE !== undefined; // by the gate, whose tests are run by the README's own command
// counters that swc puts in cost half of what V8's own coverage does, which tells of every script that a worker ever loaded, file after file
const counted = {
  ...typescript,
  experimental: {
    customCoverageInstrumentation: {
      enabled: true,
      coverageVariable: '__coverage__',
      compact: false,
      reportLogic: false,
      ignoreClassMethods: [],
      instrumentLog: { level: 'error' },
    },
  },
};

module.exports = {
  rootDir: '.',
  maxWorkers: Math.ceil(availableParallelism() * 1.5), // a third of the time tests wait for other processes and for clocks
  testEnvironment: '<rootDir>/test/env.cjs',
  moduleFileExtensions: ['js', 'json', 'ts'],
  testRegex: '\\.(spec|e2e-spec)\\.ts$', // `test:long` asks for .long-spec.ts
  // kills, power cuts and full disks need the machine for themselves: `npm run test:crash`
  // what a container shows needs an engine: `npm run test:container`, which sets E2E_IMAGE
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/crash/', ...(process.env.E2E_IMAGE ? [] : ['<rootDir>/test/container/'])],
  modulePathIgnorePatterns: ['<rootDir>/dist/'],
  transform: {
    ...(covered && { '/src/.+\\.ts$': ['@swc/jest', counted] }),
    '^.+\\.ts$': ['@swc/jest', typescript],
    '^.+\\.m?js$': ['@swc/jest', ecmascript],
  },
  transformIgnorePatterns: [`/node_modules/(?!(${esmPackages.join('|')})/)`],
  testTimeout: 60_000, // ends what hangs, and not what a busy machine is slow with
  collectCoverage: covered,
  coverageProvider: 'babel',
  // main.ts, what it starts with, and the host's entry run in processes of their own: test/process drives them
  collectCoverageFrom: ['src/**/*.ts', '!src/main.ts', '!src/serve.ts', '!src/runtime/hosts/host.main.ts', '!src/config/node-version.ts'],
  coverageReporters: ['text-summary', 'json-summary', 'lcov'],
  coverageThreshold: { global: { lines: 90, branches: 90 } },
};
