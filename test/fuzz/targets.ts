import { validateHeaderValue } from 'node:http';
import { isIP } from 'node:net';
import { Metadata } from '@grpc/grpc-js';
import { DiscoveryError, type ServiceInstance } from '@rookery/discovery';
import { parseAgentAddress } from '#libs/consul/dist/client/agent-address.js';
import { toConsulError } from '#libs/consul/dist/client/classify-response.js';
import { assertIntentions, decideByIntentions } from '#libs/consul/dist/connect/intention-decision.js';
import { spiffeIdOf } from '#libs/consul/dist/connect/spiffe-id.js';
import { evaluateFlag } from '#libs/consul/dist/flags/evaluate-flag.js';
import { InstanceReader } from '#libs/consul/dist/registry/instance-reader.js';
import {
  believableInFlight,
  reportedInFlight,
} from '#libs/discovery/dist/balancing/target/reported-in-flight.js';
import { ReportedLoad } from '#libs/discovery/dist/balancing/target/reported-load.js';
import { SERVICE_HEADER, TIMEOUT_HEADER } from '#libs/discovery/dist/calling/call-headers.js';
import { incomingCall } from '#libs/discovery/dist/calling/incoming-call.js';
import { parseRetryAfter } from '#libs/discovery/dist/calling/response-info.js';
import { parseConfigPath } from '#libs/discovery/dist/config/config-path.js';
import { loadReaders } from '#libs/discovery/dist/config/layers/documents.js';
import type { ConfigFormat } from '#libs/discovery/dist/config/layers/layer-paths.js';
import { readLayer } from '#libs/discovery/dist/config/layers/read-layer.js';
import { resolveReferences } from '#libs/discovery/dist/config/merge/resolve-references.js';
import { InvalidContent } from '#libs/discovery/dist/config/problem.js';
import { SecretPaths } from '#libs/discovery/dist/config/secret-paths.js';
import { parseDuration } from '#libs/discovery/dist/configuration/duration.js';
import { parseHolder } from '#libs/discovery/dist/coordination/lock/lock-holder.js';
import { CallReceiver } from '#libs/discovery/dist/receiving/call-receiver.js';
import { receiveCall } from '#libs/discovery/dist/receiving/receive-call.js';
import { ReceivedContext } from '#libs/discovery/dist/receiving/received-context.js';
import { systemClock } from '#libs/discovery/dist/timing/clock.js';
import { decodeValue } from '#libs/etcd/dist/registry/instance-value.js';
import { reportedInFlight as inTrailers } from '#libs/microservices/dist/grpc/reported-load.js';
import { encodeLoadReport, LOAD_TRAILER } from '#libs/microservices/dist/grpc/serving/standard-services.js';

/** A parser of what comes from outside. */
export interface FuzzTarget {
  readonly name: string;
  /** Valid input, which is changed. */
  readonly samples: readonly string[];
  /** Throws an error that is not one of its own, or when the result is not as promised. */
  readonly feed: (input: string) => void | Promise<void>;
}

const ENTRY = {
  Node: { Node: 'n1', Address: '10.0.0.1', Datacenter: 'dc1', Meta: { zone: 'a' } },
  Service: {
    ...{ ID: 'web-1', Service: 'web', Address: '10.0.0.2', Port: 8080, Tags: ['v1'] },
    ...{ Meta: { zone: 'b', 'rookery-secure': 'true' }, Weights: { Passing: 1, Warning: 1 } },
  },
  Checks: [{ CheckID: 'web-1:http', Status: 'passing', Output: 'ok' }],
};
const ETCD = {
  address: '10.0.0.2',
  port: 8080,
  meta: { zone: 'b' },
  tags: ['v1'],
  weights: { passing: 1, warning: 1 },
};
const KRATOS = {
  name: 'web',
  version: '1',
  metadata: { a: 'b' },
  endpoints: ['http://10.0.0.2:8080?isSecure=false'],
};
const GRPC = { Op: 0, Addr: '10.0.0.2:8080', Metadata: { address: '10.0.0.2', port: 8080 } };

/** What callers rely on when they connect. */
function assertInstance(instance: ServiceInstance): void {
  const { address, port, tags, meta, weight, zone, node, datacenter } = instance;
  if (!(isIP(address) > 0 || /^[\w.-]+$/.test(address))) throw new Error(`address ${address}`);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error(`port ${port}`);
  if (!tags.every((tag) => typeof tag === 'string')) throw new Error('tags');
  if (!Object.values(meta).every((value) => typeof value === 'string')) throw new Error('meta');
  if (!Number.isFinite(weight) || weight < 0) throw new Error(`weight ${weight}`);
  const texts: readonly unknown[] = [zone, node, datacenter];
  if (!texts.every((text) => text === undefined || text === null || typeof text === 'string'))
    throw new Error(`texts ${JSON.stringify(texts)}`);
}

/** Errors of Rookery say what is wrong; any other is a defect. */
function expecting(kinds: readonly (new (...args: never[]) => Error)[], work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!kinds.some((kind) => error instanceof kind)) throw error;
  }
}

const readers = await loadReaders('files');
const secrets = new SecretPaths(['pin']);

function layer(name: string, format: ConfigFormat, key: string, samples: readonly string[]): FuzzTarget {
  const path = format === 'files' ? 'config/shop.' : 'config/shop/';
  return {
    name,
    samples,
    feed: (input) =>
      expecting([InvalidContent, DiscoveryError], () => {
        const entries = [{ key: path + key, value: Buffer.from(input) }];
        const options = { format, dataKey: 'data', values: 'typed', readers, secrets } as const;
        const tree = readLayer(path, entries, options);
        resolveReferences(tree, { environment: {}, values: 'typed', secrets });
        JSON.stringify(tree.toValue());
      }),
  };
}

export const TARGETS: readonly FuzzTarget[] = [
  {
    name: "Consul's list of instances",
    samples: [JSON.stringify([ENTRY]), JSON.stringify([ENTRY, ENTRY]), '[]'],
    feed: async (input) => {
      try {
        for (const instance of await new InstanceReader().read(Buffer.from(input))) assertInstance(instance);
      } catch (error) {
        if (!(error instanceof DiscoveryError)) throw error;
      }
    },
  },
  {
    name: "etcd's value of an instance",
    samples: [JSON.stringify(ETCD), JSON.stringify(KRATOS), JSON.stringify(GRPC)],
    feed: (input) => {
      const decoded = decodeValue(Buffer.from(input));
      if ('reason' in decoded) return;
      const { address, port } = decoded.value;
      if (!(isIP(address) > 0 || /^[\w.-]+$/.test(address))) throw new Error(`address ${address}`);
      if (port < 1 || port > 65_535) throw new Error(`port ${port}`);
    },
  },
  {
    name: "Consul's errors",
    samples: [
      'Permission denied: Missing service:write on web',
      'rpc error making call: EOF',
      'ACL not found',
    ],
    feed: (input) => {
      const sent = {
        method: 'PUT',
        path: '/v1/agent/service/register',
        query: new URLSearchParams(),
        body: input,
      };
      const error = toConsulError('PUT x', 403, input, input, { ...sent, isAnonymous: false });
      if (error.message.length > 2_000) throw new Error('an error without a limit');
    },
  },
  layer('a document in YAML', 'yaml', 'data', ['a: 1\nb:\n  - x\n  - y: "z"\nc: &c {d: 1}\ne: *c\n']),
  layer('a document in JSON', 'json', 'data', ['{"a":1,"b":["x",{"y":"z"}],"c":{"d":null}}']),
  layer('a document in properties', 'properties', 'data', ['a.b=1\n# note\nc[0]=x\\\n y\nd\\u0041: e\n']),
  layer('a single key', 'keys', 'limits', ['100', '{"new.ui": true, "list": [1]}', 'http://${host:x}:1']),
  {
    name: 'the name of a key',
    samples: ['a.b[0].c', 'limits/rate', 'peers[1].port'],
    feed: (input) => expecting([Error], () => void parseConfigPath(input)),
  },
  {
    name: 'the holder of a lock',
    samples: [JSON.stringify({ service: 'web', id: 'web-1', port: 1, pid: 2, since: '2026-01-01' })],
    feed: (input) => void parseHolder(Buffer.from(input)),
  },
  {
    name: 'a feature flag',
    samples: ['{"value":true,"rules":[{"keys":["a"],"value":false},{"percent":50,"value":1}]}'],
    feed: (input) => {
      let flag: unknown;
      try {
        flag = JSON.parse(input);
      } catch {
        return;
      }
      evaluateFlag('new-ui', flag, input);
    },
  },
  {
    name: 'Retry-After',
    samples: ['5', 'Wed, 21 Oct 2026 07:28:00 GMT'],
    feed: (input) => {
      const delay = parseRetryAfter(input, 0);
      if (delay !== undefined && !(delay >= 0)) throw new Error(`a delay of ${delay}`);
    },
  },
  {
    name: "a server's report of its load",
    samples: [
      'TEXT cpu_utilization=0.3, rps_fractional=20, named_metrics.in_flight=3',
      'TEXT application_utilization=0.5, cpu_utilization=0.25, rps_fractional=1e3, eps=0, named_metrics.in_flight=0',
    ],
    feed: (input) => {
      const load = new ReportedLoad();
      const inFlight = reportedInFlight(input);
      if (inFlight === undefined) return;
      load.observe(0, 0, 1);
      load.observe(0, inFlight, 1);
      const { queuePercent } = load;
      if (!(queuePercent >= 25 && queuePercent <= 400)) throw new Error(`a queue of ${queuePercent} %`);
    },
  },
  {
    name: 'the same in the trailers of gRPC',
    samples: [0, 3, 1e300].map((inFlight) =>
      encodeLoadReport({
        ...{ cpu_utilization: 0.3, application_utilization: 0.5, rps_fractional: 20, eps: 0 },
        named_metrics: { in_flight: inFlight },
      }).toString('latin1'),
    ),
    feed: (input) => {
      const trailers = new Metadata();
      trailers.set(LOAD_TRAILER, Buffer.from(input, 'latin1'));
      const inFlight = believableInFlight(inTrailers(trailers));
      if (inFlight !== undefined && !(inFlight >= 0 && inFlight <= 1e6)) throw new Error(`${inFlight} calls`);
    },
  },
  {
    name: 'a duration',
    samples: ['5s', '1h30m', '250ms', '1.5s'],
    feed: (input) => {
      const milliseconds = parseDuration(input);
      if (milliseconds !== undefined && !Number.isFinite(milliseconds)) throw new Error(String(milliseconds));
    },
  },
  {
    name: 'the address of an agent',
    samples: [
      'http://user:secret@10.0.0.1:8500/consul',
      'unix:///run/consul.sock',
      '[::1]:8500',
      'consul:8500',
    ],
    feed: (input) => void parseAgentAddress(input, false),
  },
  {
    name: 'the names in a certificate',
    samples: [
      'DNS:web.svc, URI:spiffe://a1.consul/ns/default/dc/dc1/svc/web',
      'URI:spiffe://a1.consul/ap/p/ns/n/dc/d/svc/w',
    ],
    feed: (input) => {
      const id = spiffeIdOf(input);
      if (!id) return;
      if (input.includes('"') || input.split('URI:').length > 2 || id.service === '')
        throw new Error(`an identity, ${id.service}, of doubtful names`);
    },
  },
  {
    name: 'the intentions of Consul',
    samples: [
      JSON.stringify([
        { SourceName: 'web', SourceNS: 'default', Action: 'deny', Precedence: 9, Permissions: null },
      ]),
    ],
    feed: (input) => {
      let given: unknown;
      try {
        given = JSON.parse(input);
        assertIntentions(given);
      } catch (error) {
        if (error instanceof TypeError) throw error;
        return;
      }
      const caller = { service: 'web', namespace: 'default', partition: 'default' };
      const { isAllowed } = decideByIntentions(caller, { intentions: given, allowsByDefault: false });
      if (isAllowed && !input.includes('allow')) throw new Error('it allows what nothing allows');
    },
  },
  {
    name: 'the headers of a caller',
    samples: [
      '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\nrojo=00f067aa0ba902b7\nuser=7;x=y\nabc\n250',
      '\n\n\n\n99999999999',
    ],
    feed: (input) => {
      // What Node's parser lets through.
      const [traceparent, tracestate, baggage, id, timeout] = input
        .split('\n')
        .map((line) => line.replaceAll(/[^\t\x20-\x7e\x80-\xff]/g, ''));
      const received = { traceparent, tracestate, baggage, 'x-request-id': id };
      const context = new ReceivedContext(received, {
        ...{ traceContext: true, requestId: 'x-request-id', headers: ['x-tenant'], cancelWithClient: false },
      });
      const { headers } = context;
      for (let n = 0; n < headers.length; n += 2) validateHeaderValue(headers[n] ?? '', headers[n + 1] ?? '');
      const receiver = new CallReceiver({ names: ['web'], isAdvertised: () => false, clock: systemClock });
      const request = {
        headers: { ...received, [TIMEOUT_HEADER]: timeout, [SERVICE_HEADER]: id },
        socket: {},
      };
      const response = { once: () => undefined, socket: {} };
      receiveCall(receiver)(request as never, response as never, () => {
        const { deadline = Infinity } = incomingCall() ?? {};
        if (!(deadline > 0)) throw new Error(`a deadline of ${deadline}`);
      });
    },
  },
];
