import { formatDuration, toMilliseconds, type Duration } from '../configuration/duration.js';
import { hostAndPort, READINESS_META } from '../registry/service-instance.js';
import type { RegistrationCheck, ServiceRegistration } from '../registry/service-registration.js';
import { checkIdOf, type CheckOptions } from './options/check-options.js';
import type { ServiceOptions } from './options/service-options.js';

/** What is only known once the app listens. */
export interface Listening {
  readonly port: number;
  readonly secure: boolean;
  readonly hostName: string;
  /** Undefined: the address of the registry's node. */
  readonly address: string | undefined;
  /** The host under which the registry's agent reaches us. */
  readonly checkHost: string;
  /** The check goes to the advertised address, not to where this process listens. */
  readonly checkIsRemote: boolean;
  readonly healthPath: string;
  /** It answers on the health path; a microservice does not. */
  readonly hasHealthPath: boolean;
  /** Where it runs, by the environment. */
  readonly zone: string | undefined;
}

const DEFAULT_TTL = '36s';
const ZONE_META = 'zone';

/** The desired state, from what the user wants and where the app came up. */
export function describeRegistration(
  options: ServiceOptions,
  listening: Listening,
  state: Pick<ServiceRegistration, 'status' | 'maintenance'>,
): ServiceRegistration {
  const port = options.port ?? listening.port;
  const id = options.id ?? `${options.name}-${listening.hostName}-${port}`;
  const secure = options.secure ?? listening.secure;
  const checks = checksOf(options, listening);
  const zone = options.zone ?? listening.zone;
  const meta: NonNullable<ServiceOptions['meta']> = {
    ...(zone === undefined ? {} : { [ZONE_META]: zone }),
    ...(listening.hasHealthPath ? { [READINESS_META]: `${listening.healthPath}/ready` } : {}),
    ...options.meta,
  };
  const tagged = Object.entries(options.taggedAddresses ?? {}).map(
    ([name, to]) => [name, { address: to.address, port: to.port ?? port }] as const,
  );
  return {
    id,
    service: options.name,
    address: listening.address,
    port,
    secure,
    tags: options.tags ?? [],
    meta: Object.fromEntries(Object.entries(meta).map(([key, value]) => [key, String(value)])),
    weights: options.weights && { passing: options.weights.passing, warning: options.weights.warning ?? 1 },
    taggedAddresses: Object.fromEntries(tagged),
    checks: checks.map((check, index) => {
      const own = checkIdOf(check, index, checks.length);
      const at = { ...listening, port: listening.checkIsRemote ? port : listening.port };
      return describeCheck(check, `${id}:${own}`, at);
    }),
    ...state,
  };
}

/** The checks that are written out, or the usual one. */
export function checksOf(
  { check }: ServiceOptions,
  { secure, hasHealthPath }: Pick<Listening, 'secure' | 'hasHealthPath'>,
): readonly CheckOptions[] {
  if (check) return Array.isArray(check) ? (check as readonly CheckOptions[]) : [check as CheckOptions];
  return hasHealthPath ? [{ type: secure ? 'https' : 'http', interval: '10s' }] : [{ type: 'ttl' }];
}

type At = Pick<Listening, 'checkHost' | 'port' | 'healthPath'>;
type Probe = DistributiveOmit<RegistrationCheck, 'id' | 'name' | 'notes'> & {
  readonly name: string;
  readonly how: string;
};
type DistributiveOmit<T, K extends string> = T extends unknown ? Omit<T, K> : never;

function describeCheck(check: CheckOptions, id: string, at: At): RegistrationCheck {
  const { how, ...probe } = describeProbe(check, at);
  return {
    ...probe,
    id,
    name: check.name ?? probe.name,
    notes: check.notes ?? how,
    status: check.status,
    successBeforePassing: check.successBeforePassing,
    failuresBeforeCritical: check.failuresBeforeCritical,
    deregisterCriticalServiceAfter: toMilliseconds(
      check.deregisterCriticalServiceAfter ?? '10m',
      'service.check.deregisterCriticalServiceAfter',
    ),
  };
}

function describeProbe(check: CheckOptions, at: At): Probe {
  const here = (port: number | undefined): string =>
    hostAndPort({ address: at.checkHost, port: port ?? at.port });
  switch (check.type) {
    case 'http':
    case 'https': {
      const path = check.path ?? at.healthPath;
      const url = check.url ?? `${check.type}://${here(undefined)}${path}`;
      const { method, headers, body, tlsSkipVerify = false } = check;
      const name = `${check.type.toUpperCase()} ${check.url ?? path}`;
      const how = `${method ?? 'GET'} ${url} ${often(check)}`;
      return { type: 'http', name, how, url, method, headers, body, tlsSkipVerify, ...polled(check) };
    }
    case 'tcp': {
      const address = check.address ?? here(check.port);
      return {
        type: 'tcp',
        name: `TCP ${address}`,
        how: `connects ${often(check)}`,
        address,
        ...polled(check),
      };
    }
    case 'grpc': {
      const host = check.address ?? here(check.port);
      const address = check.service === undefined ? host : `${host}/${check.service}`;
      const { useTls = false, tlsSkipVerify = false } = check;
      const how = `grpc.health.v1.Health/Check ${often(check)}`;
      return { type: 'grpc', name: `gRPC ${address}`, how, address, useTls, tlsSkipVerify, ...polled(check) };
    }
    case 'ttl': {
      const { ttl = DEFAULT_TTL } = check;
      const how = `reported by the app at least every ${written(ttl)}`;
      return { type: 'ttl', name: 'TTL', how, ttl: toMilliseconds(ttl, 'service.check.ttl') };
    }
    case 'script': {
      const { args } = check;
      return { type: 'script', name: `script ${String(args[0])}`, how: often(check), args, ...polled(check) };
    }
    case 'alias': {
      const { aliasService: service, aliasNode: node } = check;
      const whose = [service, node && `node ${node}`].filter(Boolean).join(' of ');
      return { type: 'alias', name: `alias of ${whose}`, how: `as healthy as ${whose}`, service, node };
    }
  }
}

type Polled = Extract<CheckOptions, { interval: unknown }>;

function polled(check: Polled): { interval: number; timeout: number } {
  return {
    interval: toMilliseconds(check.interval, 'service.check.interval'),
    timeout: toMilliseconds(check.timeout ?? '5s', 'service.check.timeout'),
  };
}

function often({ interval, timeout = '5s' }: Polled): string {
  return `every ${written(interval)}, ${written(timeout)} at most`;
}

/** As the user wrote it, where it is a text. */
function written(duration: Duration): string {
  return typeof duration === 'string' ? duration : formatDuration(duration);
}
