import { fileURLToPath } from 'node:url';
import { findConsul } from './test/support/src/find-consul.js';
import { HOW_TO_GET_TOOLS, suitesWithoutTools } from './test/support/src/find-tool.js';

// Workers inherit the environment: every suite uses the binary that is found here.
const consul = findConsul();
if (consul) process.env.CONSUL_BIN = consul;
else if (process.env.CI) throw new Error('CI needs a real Consul: run .ci/install-consul, or set CONSUL_BIN');
const without = suitesWithoutTools();
if (without.length > 0 && process.env.CI)
  throw new Error(`CI needs ${without.flatMap(({ missing }) => missing).join(', ')}: ${HOW_TO_GET_TOOLS}`);

const rootDir = fileURLToPath(new URL('.', import.meta.url));

// CI runs the suites in four groups. `loads`: they put a steady load on the machine, which suites of the other groups would disturb; two of them leave half of
// it idle. `alone`: what is loaded beside it makes all instances as slow as the slow one that it is about. `faults`: they count requests or watch the time.
// `rest`: as many run at once as have room.
const MEASURED_ALONE = 'microservices';
const LOADING = 'calls|shutdown|chaos|rotation-of-all';
const WAITING = 'lock-|etcd-locks|patience|doubt|alerts|heartbeat';
const ALONE = `/test/faults/(${MEASURED_ALONE})\\.`;
const LOADS = `/test/faults/(${LOADING})\\.`;
const FAULTS = `/test/(simulation|faults(?!/(${LOADING}|${MEASURED_ALONE}|${WAITING})))/`;
const GROUPS = {
  all: { leaves: [], maxWorkers: 2 },
  alone: { leaves: [`^(?!.*${ALONE})`], maxWorkers: 1 },
  loads: { leaves: [`^(?!.*${LOADS})`], maxWorkers: 2 },
  faults: { leaves: [`^(?!.*${FAULTS})`], maxWorkers: 3 },
  rest: { leaves: [ALONE, LOADS, FAULTS], maxWorkers: 4 },
};
const group = GROUPS[process.env.ROOKERY_SUITES ?? 'all'];
if (!group)
  throw new Error(
    `ROOKERY_SUITES is '${process.env.ROOKERY_SUITES}'; it must be one of ${Object.keys(GROUPS).join(', ')}`,
  );
// Suites that make tokens or ACLs themselves, or start processes that get no environment.
const OWN_SECURITY = 'secrets|secrets-of-calls|discovery-endpoint|sample-apps|lifecycle';
/** The other *.both.e2e-spec.ts. */
const SECURED = `/test/(e2e|coordination|registries)/(?!(${OWN_SECURITY})\\.)[^/]+\\.both\\.`;
const left = [...group.leaves, ...without.map(({ pattern }) => pattern)];

const common = {
  testPathIgnorePatterns: ['/node_modules/', ...left],
  rootDir,
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: {
    '^@rookery/test-support$': '<rootDir>/test/support/src/index.ts',
    '^@rookery/(discovery|consul)/client$': '<rootDir>/libs/$1/src/client.ts',
    '^@rookery/consul/(config|openfeature)$': '<rootDir>/libs/consul/src/$1.ts',
    '^@rookery/(discovery|etcd)/config$': '<rootDir>/libs/$1/src/config.ts',
    '^@rookery/microservices/(grpc|tcp)$': '<rootDir>/libs/microservices/src/$1.ts',
    '^@rookery/discovery/adapter$': '<rootDir>/libs/discovery/src/adapter.ts',
    '^@rookery/discovery/testing$': '<rootDir>/libs/discovery/src/testing/index.ts',
    '^@rookery/([^/]+)$': '<rootDir>/libs/$1/src/index.ts',
    // Private files of a library, for a few tests; what is built and run without Jest finds them in dist.
    '^#libs/([^/]+)/dist/(.*)\\.js$': '<rootDir>/libs/$1/src/$2.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2023',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
        },
        module: { type: 'es6' },
      },
    ],
  },
};

export default {
  rootDir,
  projects: [
    {
      ...common,
      displayName: 'unit',
      testMatch: [
        '<rootDir>/{libs,apps}/*/{src,page}/**/*.spec.ts',
        '<rootDir>/test/{documentation,fuzz,history,mutation,simulation}/*.spec.ts',
      ],
    },
    // *.consul.e2e-spec.ts need a real Consul; *.both.e2e-spec.ts run on a real one, or else on the embedded one, which npm run conformance compares with it case by
    // case: on both of them, they took a fifth of the time of all suites.
    {
      ...common,
      displayName: 'embedded',
      testMatch: ['<rootDir>/test/**/*.e2e-spec.ts'],
      testPathIgnorePatterns: [
        '/node_modules/',
        '\\.(consul|monitoring|browser|etcd)\\.e2e-spec\\.ts$',
        ...(consul ? ['\\.both\\.'] : []),
        ...left,
      ],
      setupFiles: ['<rootDir>/test/support/on-embedded-consul.js'],
    },
    // gRPC on the oldest version that Nest allows.
    {
      ...common,
      displayName: 'oldest',
      testRegex: [
        '/test/microservices/grpc(-tls|-limits|-receiving|-balancing|-serving\\.both)?\\.e2e-spec\\.ts$',
      ],
      moduleNameMapper: { ...common.moduleNameMapper, '^@grpc/grpc-js$': 'grpc-js-oldest' },
      setupFiles: ['<rootDir>/test/support/on-embedded-consul.js'],
    },
    ...(consul
      ? [
          // On an agent that denies by default, and speaks TLS only, with clients that have a certificate.
          {
            ...common,
            displayName: 'secured',
            testRegex: [SECURED],
            setupFiles: ['<rootDir>/test/support/on-secured-consul.js'],
          },
          {
            ...common,
            displayName: 'real',
            testMatch: ['<rootDir>/test/**/*.{both,consul,monitoring,browser,etcd}.e2e-spec.ts'],
            testPathIgnorePatterns: ['/node_modules/', SECURED, ...left],
          },
        ]
      : []),
  ],
  globalSetup: '<rootDir>/test/support/src/jest-global-setup.js',
  globalTeardown: '<rootDir>/test/support/src/jest-global-teardown.js',
  testTimeout: 60_000,
  // What a failed test has left open does not keep the process; that nothing is left open has tests of its own.
  forceExit: true,
  maxWorkers: group.maxWorkers,
  testSequencer: '<rootDir>/test/support/src/longest-first.sequencer.js',
  reporters: [
    'default',
    '<rootDir>/test/support/src/left-out.reporter.js',
    '<rootDir>/test/support/src/slowest.reporter.js',
  ],
};
