// Which options are on which page of the reference.
import { z } from 'zod';

const built = (path) => import(`../../../libs/${path}`);
const { discoveryOptionsShape, lockOptionsShape } = await built('discovery/dist/adapter.js');
const { callDefaultsShape } = await built('discovery/dist/calling/options/client-options.js');
const { serviceClientOptionsSchema } = await built('discovery/dist/http/service-client.options.js');
const { serviceQuerySchema } = await built('discovery/dist/registry/service-query.js');
const { alertsOptionsSchema } = await built('discovery/dist/alerts/alerts-options.js');
const { ruleOptionsSchema } = await built('discovery/dist/alerts/rules/rule-options.js');
const { alertmanagerOptionsSchema } = await built('discovery/dist/alerts/sinks/alertmanager.sink.js');
const { webhookOptionsSchema } = await built('discovery/dist/alerts/sinks/webhook.sink.js');
const { dnsSourceOptionsSchema } = await built('discovery/dist/registry/dns.source.js');
const { agentOptionsSchema } = await built('consul/dist/client/agent-options.js');
const { lockOptionsSchema } = await built('consul/dist/coordination/lock-options.js');
const { connectOptionsSchema } = await built('consul/dist/connect/connect-options.js');
const { consulConfigOptionsSchema } = await built('consul/dist/config/consul-config-options.js');
const { etcdModuleOptionsSchema } = await built('etcd/dist/etcd-module-options.js');
const { etcdConfigOptionsSchema } = await built('etcd/dist/config/etcd-config-options.js');
const { dashboardOptionsSchema } = await built('dashboard/dist/dashboard-options.js');
const { grpcServiceClientOptionsSchema } = await built(
  'microservices/dist/grpc/grpc-service-client.options.js',
);
const { discoveryClientOptionsSchema } = await built('microservices/dist/tcp/discovery-client-proxy.js');

const callOptions = z.strictObject({
  ...serviceClientOptionsSchema.shape,
  query: serviceQuerySchema.optional(),
});

/** Options that are on the page of every registry. */
const ofEveryRegistry = {
  keys: Object.keys(discoveryOptionsShape),
  text: 'as of [every registry](../../discovery/docs/options.md#forroot-of-every-module)',
};
const ofEveryConfig = {
  keys: Object.keys(consulConfigOptionsSchema.shape).filter((key) => !['agent', 'datacenter'].includes(key)),
  text: 'as of [every registry](../../discovery/docs/options.md#consulconfig-and-etcdconfig)',
};

/**
 * @typedef {object} OptionPage
 * @property {string} file
 * @property {string} title
 * @property {string} text
 * @property {readonly import('./option-sections.mjs').Root[]} roots
 */

/** @type {readonly OptionPage[]} */
export const OPTION_PAGES = [
  {
    file: 'libs/discovery/docs/options.md',
    title: 'Options',
    text: 'What `ConsulModule.forRoot` and `EtcdModule.forRoot` both take, and the options of clients, alerts, locks and configuration, which are the same on each registry. [Of Consul](../../consul/docs/options.md), [of etcd](../../etcd/docs/options.md), [of gRPC and TCP](../../microservices/docs/options.md), [of the page of an app](../../dashboard/docs/options.md), [of the embedded Consul](../../embedded-consul/docs/options.md).',
    roots: [
      {
        title: '`forRoot` of every module',
        entry: 'discovery/index',
        type: 'DiscoveryOptions',
        schema: z.strictObject(discoveryOptionsShape),
      },
      {
        title: '`@ServiceClient`, and `call` of a request',
        entry: 'discovery/index',
        type: 'ServiceRequestOptions',
        schema: callOptions,
      },
      { title: 'Routes of a declarative client', entry: 'discovery/client', type: 'RouteOptions' },
      {
        title: '`@CallOptions` of a method',
        entry: 'discovery/client',
        type: 'DeclaredCallOptions',
        schema: callOptions,
      },
      {
        title: '`DiscoveryService.call`',
        entry: 'discovery/index',
        type: 'CallOptions',
        schema: callOptions,
      },
      {
        title: '`DiscoveryService.call`, with a fallback',
        entry: 'discovery/index',
        type: 'FallbackOptions',
        schema: callOptions,
      },
      {
        title: '`discoveryFetch` and `discoveryDispatcher`',
        entry: 'discovery/index',
        type: 'DiscoveryDispatcherOptions',
        schema: serviceClientOptionsSchema,
      },
      {
        title: '`discoveryAgent`',
        entry: 'discovery/index',
        type: 'DiscoveryAgentOptions',
        schema: serviceClientOptionsSchema,
      },
      {
        title: '`AlertsModule.forRoot`',
        entry: 'discovery/index',
        type: 'AlertsOptions',
        schema: alertsOptionsSchema,
      },
      ...[
        ['instances', 'Instances'],
        ['flapping', 'Flapping'],
        ['never-passed', 'NeverPassed'],
        ['errors', 'Errors'],
        ['latency', 'Latency'],
        ['list-age', 'ListAge'],
        ['registration', 'Registration'],
        ['config', 'Config'],
        ['lock', 'Lock'],
      ].map(([type, name]) => ({
        title: `The rule \`${type}\``,
        entry: 'discovery/index',
        type: `${name}RuleOptions`,
        schema: ruleOptionsSchema,
      })),
      {
        title: '`alertmanagerSink`',
        entry: 'discovery/index',
        type: 'AlertmanagerOptions',
        schema: alertmanagerOptionsSchema,
      },
      {
        title: '`webhookSink`',
        entry: 'discovery/index',
        type: 'WebhookOptions',
        schema: webhookOptionsSchema,
      },
      {
        title: '`DnsSource`',
        entry: 'discovery/index',
        type: 'DnsSourceOptions',
        schema: dnsSourceOptionsSchema,
      },
      {
        title: '`consulConfig` and `etcdConfig`',
        entry: 'discovery/config',
        type: 'ConfigOptions',
        schema: consulConfigOptionsSchema,
      },
      {
        title: '`locks` of a module',
        entry: 'discovery/index',
        type: 'LockOptions',
        schema: z.strictObject(lockOptionsShape),
      },
      { title: '`renewServerCertificates`', entry: 'discovery/index', type: 'RenewServerOptions' },
      { title: '`AlertsModule.forRootAsync`', entry: 'discovery/index', type: 'AlertsAsyncOptions' },
      { title: 'A lock', entry: 'discovery/index', type: 'LockAcquireOptions' },
      { title: '`@OnlyLeader`', entry: 'discovery/index', type: 'OnlyLeaderOptions' },
      { title: 'A health contributor', entry: 'discovery/index', type: 'HealthContributorOptions' },
      {
        title: '`ServiceHealthIndicator.isAvailable`',
        entry: 'discovery/index',
        type: 'ServiceAvailabilityOptions',
      },
    ],
  },
  {
    file: 'libs/consul/docs/options.md',
    title: 'Options for Consul',
    text: 'Beside [those of every registry](../../discovery/docs/options.md).',
    roots: [
      {
        title: '`ConsulModule.forRoot`',
        entry: 'consul/index',
        type: 'ConsulModuleOptions',
        elsewhere: ofEveryRegistry,
        schema: z.strictObject({
          ...discoveryOptionsShape,
          agent: agentOptionsSchema.optional(),
          locks: lockOptionsSchema.optional(),
          connect: connectOptionsSchema.optional(),
        }),
      },
      {
        title: '`consulConfig`',
        entry: 'consul/config',
        type: 'ConsulConfigOptions',
        elsewhere: ofEveryConfig,
        schema: z.strictObject({ ...consulConfigOptionsSchema.shape, agent: agentOptionsSchema.optional() }),
      },
      { title: 'Ephemeral keys', entry: 'consul/index', type: 'EphemeralKeyOptions' },
      { title: '`ConsulKv.watch`', entry: 'consul/index', type: 'KvWatchOptions' },
      { title: 'Requests of `ConsulClient`', entry: 'consul/index', type: 'ConsulRequestOptions' },
      { title: 'Reads of `ConsulClient`', entry: 'consul/index', type: 'ConsulReadOptions' },
      { title: 'Lists of `ConsulClient`', entry: 'consul/index', type: 'ConsulListOptions' },
      { title: '`health.service` of `ConsulClient`', entry: 'consul/index', type: 'HealthServiceOptions' },
      { title: '`kv.put` of `ConsulClient`', entry: 'consul/index', type: 'KvPutOptions' },
      { title: '`connectHttpsOptions`', entry: 'consul/index', type: 'ConnectHttpsOptions' },
      {
        title: '`ConsulFlagProvider` of OpenFeature',
        entry: 'consul/openfeature',
        type: 'ConsulFlagOptions',
      },
    ],
  },
  {
    file: 'libs/etcd/docs/options.md',
    title: 'Options for etcd',
    text: 'Beside [those of every registry](../../discovery/docs/options.md).',
    roots: [
      {
        title: '`EtcdModule.forRoot`',
        entry: 'etcd/index',
        type: 'EtcdModuleOptions',
        elsewhere: ofEveryRegistry,
        schema: etcdModuleOptionsSchema,
      },
      {
        title: '`etcdConfig`',
        entry: 'etcd/config',
        type: 'EtcdConfigOptions',
        elsewhere: ofEveryConfig,
        schema: etcdConfigOptionsSchema,
      },
      { title: 'Requests of `EtcdClient`', entry: 'etcd/index', type: 'EtcdRequestOptions' },
      { title: 'Reads of `EtcdClient`', entry: 'etcd/index', type: 'EtcdReadOptions' },
      { title: '`kv.put` of `EtcdClient`', entry: 'etcd/index', type: 'EtcdPutOptions' },
    ],
  },
  {
    file: 'libs/microservices/docs/options.md',
    title: 'Options for gRPC and TCP',
    text: 'Which instance is called, and what counts as a failure, is as for HTTP: [`clients`](../../discovery/docs/options.md#clients).',
    roots: [
      {
        title: '`@GrpcServiceClient`',
        entry: 'microservices/grpc',
        type: 'GrpcServiceClientOptions',
        schema: z.strictObject({
          ...grpcServiceClientOptionsSchema.shape,
          ...callDefaultsShape,
          query: serviceQuerySchema,
        }),
      },
      {
        title: '`discoveryChannel`',
        entry: 'microservices/grpc',
        type: 'DiscoveryChannelOptions',
        schema: z.strictObject({ ...callDefaultsShape, query: serviceQuerySchema }),
      },
      {
        title: '`callInterceptor`',
        entry: 'microservices/grpc',
        type: 'CallInterceptorOptions',
        schema: z.strictObject(callDefaultsShape),
      },
      {
        title: '`@MicroserviceClient` and `DiscoveryClientProxy`',
        entry: 'microservices/tcp',
        type: 'DiscoveryClientOptions',
        schema: z.strictObject({
          ...discoveryClientOptionsSchema.shape,
          ...callOptions.shape,
        }),
      },
    ],
  },
  {
    file: 'libs/dashboard/docs/options.md',
    title: 'Options of the page of an app',
    text: 'For [`DashboardModule.forRoot`](../README.md), which shows [what an app sees](../../discovery/docs/observing.md).',
    roots: [
      {
        title: '`DashboardModule.forRoot`',
        entry: 'dashboard/index',
        type: 'DashboardOptions',
        schema: dashboardOptionsSchema,
      },
    ],
  },
  {
    file: 'libs/embedded-consul/docs/options.md',
    title: 'Options of the embedded Consul',
    text: 'For [`EmbeddedConsul.start`](../README.md), and most of them, spelled as `npx -p @rookery/embedded-consul embedded-consul --help` says, for the command, which listens at port 8500.',
    roots: [
      { title: '`EmbeddedConsul.start`', entry: 'embedded-consul/index', type: 'EmbeddedConsulOptions' },
      { title: '`acl`', entry: 'embedded-consul/index', type: 'EmbeddedAclOptions' },
    ],
  },
];

/** Interfaces that are no page of their own: parts of others, or those of every dynamic module of Nest. */
export const NOT_LISTED = new Set([
  'AsyncOptions',
  'CommonRuleOptions',
  'ConnectionOptions',
  'DashboardAsyncOptions',
  'EtcdClientOptions',
  'EtcdRegistryOptions',
  'GrpcCallOptions',
  'OptionsReader',
]);
