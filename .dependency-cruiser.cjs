// Imports run one way: apps -> consul | etcd -> discovery, and inside discovery
// registry <- catalog <- balancing <- calling <- http, with registration and health on registry.

/** A layer may import only itself and what `allowed` names: layers, and files with their ending. */
const layer = (name, allowed, library = 'discovery') => ({
  name: `${library}-${name}-direction`,
  severity: 'error',
  from: { path: `^libs/${library}/src/${name}/`, pathNot: '\\.spec\\.ts$' },
  to: {
    path: `^libs/${library}/src/`,
    pathNot: `^libs/${library}/src/(${[name, ...allowed].map((each) => (each.endsWith('.ts') ? each.replaceAll('.', '\\.') : `${each}/`)).join('|')})`,
  },
});
const foundation = ['errors', 'registry', 'configuration', 'timing', 'storage'];

/** The files that other packages may import; everything else of a library is private to it. */
const entries = [
  'libs/discovery/src/index.ts', // @rookery/discovery: what an application uses
  'libs/discovery/src/client.ts', // @rookery/discovery/client: declarative clients
  'libs/discovery/src/adapter.ts', // @rookery/discovery/adapter: what the author of a registry adapter uses
  'libs/discovery/src/config.ts', // @rookery/discovery/config: live configuration, for adapters
  'libs/discovery/src/testing/index.ts', // @rookery/discovery/testing: test doubles
  'libs/consul/src/index.ts',
  'libs/consul/src/client.ts',
  'libs/consul/src/config.ts', // @rookery/consul/config: live configuration
  'libs/consul/src/openfeature.ts', // @rookery/consul/openfeature: feature flags
  'libs/embedded-consul/src/index.ts',
  'libs/dashboard/src/index.ts',
  'libs/etcd/src/index.ts',
  'libs/microservices/src/grpc.ts', // @rookery/microservices/grpc
  'libs/microservices/src/tcp.ts', // @rookery/microservices/tcp
  'libs/etcd/src/config.ts', // @rookery/etcd/config: live configuration
];
const built = entries.map((entry) => entry.replace('/src/', '/dist/').replace(/\.ts$/, '(\\.d)?\\.[jt]s'));

module.exports = {
  forbidden: [
    { name: 'no-cycle', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'discovery-knows-no-registry',
      severity: 'error',
      from: { path: '^libs/discovery/' },
      to: { path: '^(libs/(?!discovery/)|apps/)' },
    },
    {
      name: 'libs-know-no-app',
      severity: 'error',
      from: { path: '^libs/' },
      to: { path: '^(apps|test)/', pathNot: '\\.spec\\.ts$' },
    },
    {
      name: 'packages-are-entered-by-their-entries',
      severity: 'error',
      from: { path: '^(libs|apps)/([^/]+)/' },
      to: {
        path: '^libs/[^/]+/(src|dist)/',
        pathNot: ['^$1/$2/', ...[...entries, ...built].map((entry) => `^${entry}$`)],
      },
    },
    {
      name: 'test-doubles-stay-out-of-the-product',
      severity: 'error',
      from: { path: '^libs/discovery/src/', pathNot: ['/testing/', '\\.spec\\.ts$'] },
      to: { path: '^libs/discovery/src/testing/' },
    },
    {
      name: 'entries-are-for-other-packages',
      severity: 'error',
      from: { path: '^libs/discovery/src/', pathNot: '\\.spec\\.ts$' },
      to: { path: '^libs/discovery/src/(index|client|adapter|config|testing/index)\\.ts$' },
    },
    {
      name: 'embedded-consul-imports-none-of-the-others',
      severity: 'error',
      from: { path: '^libs/embedded-consul/' },
      to: { path: '^(libs/(?!embedded-consul/)|apps/|test/)' },
    },
    {
      name: 'dashboard-imports-only-discovery',
      severity: 'error',
      from: { path: '^libs/dashboard/' },
      to: { path: '^(libs/(?!(dashboard|discovery)/)|apps/|test/)', pathNot: '^test/support/' },
    },
    {
      name: 'pages-know-only-the-types-of-their-server',
      severity: 'error',
      from: { path: '^libs/dashboard/page/' },
      to: { path: '^libs/', pathNot: '^libs/dashboard/(page/|src/dashboard-state\\.ts)' },
    },
    layer('errors', []),
    layer('configuration', ['errors']),
    layer('timing', ['errors']),
    layer('storage', []),
    layer('registry', ['errors', 'configuration', 'timing']),
    layer('scanning', []),
    layer('spelling', []),
    layer('events', ['errors', 'configuration', 'timing', 'scanning']),
    layer('catalog', [...foundation, 'events']),
    layer('balancing', [...foundation, 'events', 'catalog']),
    layer('certificates', foundation),
    layer('calling', [...foundation, 'certificates', 'events', 'catalog', 'balancing']),
    layer('http', [...foundation, 'certificates', 'catalog', 'balancing', 'calling']),
    layer('receiving', [...foundation, 'calling']),
    layer('health', [...foundation, 'scanning', 'receiving/proxied.ts', 'receiving/cross-site.ts']),
    layer('registration', [...foundation, 'certificates', 'events', 'health', 'receiving/response-end.ts']),
    layer('telemetry', [
      ...foundation,
      'events',
      'catalog',
      'balancing',
      'calling',
      'health',
      'registration',
    ]),
    layer('alerts', [
      ...foundation,
      ...[
        'events',
        'catalog',
        'balancing',
        'calling',
        'health',
        'registration',
        'introspection',
        'telemetry',
        'discovery-tools.ts',
        'discovery.service.ts',
      ],
    ]),
    layer('introspection', [...foundation, 'catalog', 'balancing', 'calling', 'health']),
    layer('indicators', [...foundation, 'catalog', 'health', 'registration']),
    layer('kv', []),
    layer('config', [...foundation, 'events', 'health', 'scanning', 'spelling']),
    layer('coordination', [
      ...foundation,
      ...['kv', 'events', 'health', 'registration', 'introspection', 'alerts'],
    ]),
    layer('acl', [], 'consul'),
    layer('client', ['acl'], 'consul'),
    layer('client', [], 'etcd'),
    layer('registry', ['acl', 'client'], 'etcd'),
    layer('coordination', ['acl', 'client'], 'etcd'),
    layer('config', ['client'], 'etcd'),
    layer('registry', ['acl', 'client'], 'consul'),
    layer('kv', ['acl', 'client'], 'consul'),
    layer('config', ['client', 'kv'], 'consul'),
    layer('flags', ['config'], 'consul'),
    layer('coordination', ['acl', 'client', 'kv'], 'consul'),
    layer('cli', ['acl', 'client', 'kv', 'config'], 'consul'),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(dist|node_modules)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'default'] },
  },
};
