// What is compared: each makes a pick among a number of instances. Rookery's are the classes that calls use; the others are called as
// their own code drives them.
import { createRequire } from 'node:module';
import { createSnapshot } from '#libs/discovery/dist/catalog/service-snapshot.js';
import { OUTLIER_DEFAULTS } from '#libs/discovery/dist/balancing/outliers/outlier-rules.js';
import { createBalancer, STRATEGY_NAMES } from '#libs/discovery/dist/balancing/strategies/strategies.js';
import { TargetPool } from '#libs/discovery/dist/balancing/target-pool.js';
import { TrackedTarget } from '#libs/discovery/dist/balancing/target/tracked-target.js';

const peers = createRequire(new URL('../peers/package.json', import.meta.url));

const instance = (n) => ({
  id: `inventory-host-${n}-3000`,
  service: 'inventory',
  address: `10.0.${n >> 8}.${n & 255}`,
  port: 3_000,
  secure: false,
  tags: ['v1'],
  meta: {},
  status: 'passing',
  weight: 1 + (n % 3),
  zone: undefined,
  node: `node-${n}`,
  datacenter: 'dc1',
});

/** Of calls under way at a server, around the same number. */
const reports = (n) => Array.from({ length: 50 }, (_, at) => 4 + ((n + at * 3) % 5));

/** With a latency, as after some calls; different weights where a strategy uses them. */
const targets = (size, isWeighted) =>
  Object.freeze(
    Array.from({ length: size }, (_, n) => {
      const target = new TrackedTarget(instance(n), -Infinity, 0);
      target.weight = isWeighted ? target.instance.weight : 1;
      target.begin();
      target.end(0, 2 + (n % 5), 'success');
      for (const inFlight of reports(n)) target.reported.observe(0, inFlight, 0);
      return target;
    }),
  );

const KEYS = Array.from({ length: 1_024 }, (_, n) => ({ hashKey: `user-${n}`, attempt: 0 }));
const NO_KEY = { hashKey: undefined, attempt: 0 };

const ours =
  (name, isWeighted = name.startsWith('weighted')) =>
  (size) => {
    const balancer = createBalancer(name, Math.random);
    const among = targets(size, isWeighted);
    const isKeyed = name === 'consistent-hash' || name === 'sticky';
    return isKeyed ? (n) => balancer.pick(among, KEYS[n & 1_023]) : () => balancer.pick(among, NO_KEY);
  };

/** The whole pick of a call: with ejection, zones, and the instances that were already tried. */
const pool = (strategy) => (size) => {
  const picking = new TargetPool('inventory', undefined, {
    clock: { now: () => 0, after: () => () => undefined },
    random: Math.random,
    outlierRules: OUTLIER_DEFAULTS,
    slowStart: true,
    zone: undefined,
    callers: () => undefined,
    probe: undefined,
    emit: () => undefined,
    onUnused: () => undefined,
  });
  picking.update(
    createSnapshot({
      service: 'inventory',
      instances: Array.from({ length: size }, (_, n) => ({ ...instance(n), weight: 1 })),
      suspects: [],
      unreachable: [],
      changes: { added: [], removed: [], changed: [] },
      version: 1,
      source: 'live',
      receivedAt: 0,
      ageMs: () => 0,
    }),
  );
  for (const [n, target] of picking.usable.entries()) {
    picking.begin(target);
    picking.report(target, 3, 'success', { reason: '', isRefusal: false });
    for (const inFlight of reports(n)) picking.observeLoad(target, inFlight);
  }
  const request = { hashKey: undefined, attempt: 0, tried: new Set(), mayTry: 'yes' };
  return () => picking.pick(strategy, request);
};

const nestcloud = (rule) => (size) => {
  const { Loadbalancer } = peers('@nestcloud/loadbalance/loadbalancer');
  const { Server } = peers('@nestcloud/loadbalance/server');
  const { ServerState } = peers('@nestcloud/loadbalance/server-state');
  const Rule = Object.values(peers(`@nestcloud/loadbalance/rules/${rule}`))[0];
  const servers = Array.from({ length: size }, (_, n) => {
    const server = new Server(instance(n).address, 3_000 + n);
    server.state = new ServerState();
    server.state.status = 'passing';
    server.state.firstConnectionTimestamp = 1;
    server.state.weight = n % 5;
    return server;
  });
  const balancer = new Loadbalancer('id', 'inventory', servers, new Rule());
  return () => balancer.chooseService();
};

const moleculer =
  (Strategy, prepare = () => undefined) =>
  (size) => {
    const EndpointList = peers(
      new URL('../peers/node_modules/moleculer/src/registry/endpoint-list.js', import.meta.url).pathname,
    );
    const broker = {
      transit: undefined,
      localBus: { on: () => undefined, listenerCount: () => 0 },
      options: { registry: { preferLocal: false } },
    };
    const registry = { logger: console, opts: { preferLocal: false }, broker };
    class Endpoint {
      constructor(_registry, _broker, node, service) {
        this.node = node;
        this.service = service;
        this.isAvailable = true;
        this.local = false;
      }
    }
    const list = new EndpointList(
      registry,
      broker,
      'inventory',
      undefined,
      Endpoint,
      peers('moleculer').Strategies[Strategy],
    );
    for (let n = 0; n < size; n++)
      list.endpoints.push(
        new Endpoint(registry, broker, { id: `node-${n}`, hostname: `host-${n}` }, { name: 'inventory' }),
      );
    prepare(list, size);
    return () => list.next({});
  };

const balancedPool = (size) => {
  const { BalancedPool } = peers('undici');
  const upstreams = Array.from({ length: size }, (_, n) => `http://10.0.${n >> 8}.${n & 255}:3000`);
  const picking = new BalancedPool(upstreams);
  const get = Object.getOwnPropertySymbols(BalancedPool.prototype).find(
    ({ description }) => description === 'get dispatcher',
  );
  return () => picking[get]();
};

export const IMPLEMENTATIONS = {
  ...Object.fromEntries(STRATEGY_NAMES.map((name) => [`rookery ${name}`, ours(name)])),
  'rookery p2c-ewma, again': ours('p2c-ewma'),
  'rookery p2c-ewma, weighted': ours('p2c-ewma', true),
  'rookery, whole pick of a call': pool('p2c-ewma'),
  'rookery, whole pick with p2c-load': pool('p2c-load'),
  'rookery, whole pick with prequal': pool('prequal'),
  'nestcloud RoundRobinRule': nestcloud('round-robin.rule'),
  'nestcloud WeightedResponseTimeRule': nestcloud('weighted-response-time.rule'),
  'moleculer RoundRobinStrategy': moleculer('RoundRobin'),
  'moleculer LatencyStrategy': moleculer('Latency', (list, size) => {
    for (let n = 0; n < size; n++) list.strategy.hostAvgLatency.set(`host-${n}`, 2 + (n % 5));
  }),
  'undici BalancedPool': balancedPool,
};
