// Which files of the repository are pages of the site, and where each stands in its list of contents.

/** @type {readonly { text: string, pages: readonly (readonly [path: string, source: string, text: string])[] }[]} */
export const CONTENTS = [
  {
    text: 'Begin',
    pages: [
      ['index', 'README.md', 'What it is, and a whole app'],
      ['generators', 'libs/consul/docs/generators.md', 'With the Nest CLI'],
      ['faq', 'libs/discovery/docs/faq.md', 'Questions'],
      ['migrating', 'libs/discovery/docs/migrating.md', 'From something else'],
      ['compared', 'libs/discovery/docs/compared.md', 'Compared'],
    ],
  },
  {
    text: 'An app in the registry',
    pages: [
      ['registration', 'libs/discovery/docs/registration.md', 'Registration'],
      ['health', 'libs/discovery/docs/health.md', 'Health'],
      ['deploying', 'libs/discovery/docs/deploying.md', 'Deploying without losing a request'],
      ['running', 'libs/discovery/docs/running.md', 'Where apps run'],
      ['connecting', 'libs/consul/docs/connecting.md', 'Connecting to Consul'],
    ],
  },
  {
    text: 'Calls',
    pages: [
      ['clients', 'libs/discovery/docs/clients.md', 'Clients'],
      ['declarative-clients', 'libs/discovery/docs/declarative-clients.md', 'Declarative clients'],
      ['balancing', 'libs/discovery/docs/balancing.md', 'Load balancing and failures'],
      ['strategies', 'libs/discovery/docs/strategies.md', 'A strategy of your own'],
      ['datacenters', 'libs/discovery/docs/datacenters.md', 'Several datacenters'],
      ['load', 'libs/discovery/docs/load.md', 'Load'],
      ['outages', 'libs/discovery/docs/outages.md', 'Outages of the registry'],
      ['microservices', 'libs/microservices/README.md', 'gRPC and TCP'],
    ],
  },
  {
    text: 'With Consul',
    pages: [
      ['configuration', 'libs/consul/docs/configuration.md', 'Live configuration, feature flags'],
      ['keys', 'libs/consul/docs/keys.md', 'Keys'],
      ['leaders', 'libs/consul/docs/leaders.md', 'Locks and leaders'],
      ['locks', 'libs/consul/docs/locks.md', 'What a lock is'],
      ['acl', 'libs/consul/docs/acl.md', 'ACLs, a policy for each feature'],
      ['connect', 'libs/consul/docs/connect.md', 'Consul Connect'],
      ['sizing', 'libs/consul/docs/sizing.md', 'Sizing'],
    ],
  },
  {
    text: 'Seeing it',
    pages: [
      ['observing', 'libs/discovery/docs/observing.md', 'Seeing what it does'],
      ['telemetry', 'libs/discovery/docs/telemetry.md', 'Metrics and traces'],
      ['alerts', 'libs/discovery/docs/alerts.md', 'Alerts'],
      ['dashboard', 'libs/dashboard/README.md', 'The page of an app'],
    ],
  },
  {
    text: 'Reference',
    pages: [
      ['options', 'libs/discovery/docs/options.md', 'Options'],
      ['consul-options', 'libs/consul/docs/options.md', 'Options for Consul'],
      ['etcd-options', 'libs/etcd/docs/options.md', 'Options for etcd'],
      ['microservices-options', 'libs/microservices/docs/options.md', 'Options for gRPC and TCP'],
      ['dashboard-options', 'libs/dashboard/docs/options.md', 'Options of the page'],
      ['embedded-consul-options', 'libs/embedded-consul/docs/options.md', 'Options of the embedded Consul'],
      ['events', 'libs/discovery/docs/events.md', 'Events'],
      ['endpoints', 'libs/discovery/docs/endpoints.md', 'HTTP endpoints'],
      ['errors', 'libs/discovery/docs/errors.md', 'Errors'],
      ['command', 'libs/consul/docs/command.md', 'The rookery command'],
    ],
  },
  {
    text: 'Samples',
    pages: [
      ['samples', 'apps/samples/README.md', 'All of them'],
      ['sample-quick-start', 'apps/samples/src/01-quick-start/README.md', '01 Quick start'],
      ['sample-fastify', 'apps/samples/src/02-fastify/README.md', '02 Fastify'],
      ['sample-health', 'apps/samples/src/03-health/README.md', '03 Health'],
      [
        'sample-declarative-client',
        'apps/samples/src/04-declarative-client/README.md',
        '04 Declarative client',
      ],
      ['sample-configuration', 'apps/samples/src/05-configuration/README.md', '05 Live configuration'],
      ['sample-leader', 'apps/samples/src/06-leader/README.md', '06 A job of the leader'],
      ['sample-grpc', 'apps/samples/src/07-grpc/README.md', '07 gRPC'],
      ['sample-etcd', 'apps/samples/src/08-etcd/README.md', '08 On etcd'],
      ['sample-connect', 'apps/samples/src/09-connect/README.md', '09 Consul Connect'],
      ['sample-testing', 'apps/samples/src/10-testing/README.md', '10 Testing'],
      ['sample-nest-11', 'apps/samples/nest-11-commonjs/README.md', '11 Nest 11 in CommonJS'],
    ],
  },
  {
    text: 'More',
    pages: [
      ['testing', 'libs/discovery/docs/testing.md', 'Testing'],
      ['embedded-consul', 'libs/embedded-consul/README.md', 'The embedded Consul'],
      ['etcd', 'libs/etcd/README.md', 'On etcd'],
      ['two-registries', 'libs/discovery/docs/two-registries.md', 'From one registry to another'],
      ['registry-adapter', 'libs/discovery/docs/registry-adapter.md', 'An adapter for a registry'],
      ['security', 'libs/consul/docs/security.md', 'Security'],
      ['failure-modes', 'test/faults/README.md', 'Failure modes'],
    ],
  },
  {
    text: 'The project',
    pages: [
      ['consul', 'libs/consul/README.md', '@rookery/consul'],
      ['discovery', 'libs/discovery/README.md', '@rookery/discovery'],
      ['versions', 'libs/discovery/docs/versions.md', 'Versions'],
      ['changelog', 'CHANGELOG.md', 'Changes'],
      ['contributing', 'CONTRIBUTING.md', 'Contributing'],
    ],
  },
];

/** The path of each page, by its file. */
export const PATHS = new Map(CONTENTS.flatMap(({ pages }) => pages.map(([path, source]) => [source, path])));
