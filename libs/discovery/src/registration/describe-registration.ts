import { formatDuration, toMilliseconds, type Duration } from '../configuration/duration.js';
import { withoutUrlSecrets } from '../configuration/without-url-secrets.js';
import { CONTEXT_PATH_META, hostAndPort, READINESS_META, RPC_META } from '../registry/service-instance.js';
import type { RegistrationCheck, ServiceRegistration } from '../registry/service-registration.js';
import { checkIdOf, type CheckOptions } from './options/check-options.js';
import type { ServiceOptions } from './options/service-options.js';

/** The part of a registration that stays the same for as long as the app listens. */
export type RegistrationSpec = Omit<ServiceRegistration, 'status' | 'maintenance'>;

/** What is known only once the app listens. */
export interface Listening {
  readonly port: number;
  readonly secure: boolean;
  readonly hostName: string;
  /** The advertised address. Undefined: that of the registry's node. */
  readonly address: string | undefined;
  /** The host under which the registry's agent reaches the app. */
  readonly checkHost: string;
  /** The check goes to the advertised address, which may be a proxy's, and not to where this process listens. */
  readonly checkIsRemote: boolean;
  readonly healthPath: string;
  /** The server has the health endpoints; a microservice does not. */
  readonly hasHealthPath: boolean;
  /** The server answers the standard health service of gRPC. */
  readonly hasGrpcHealth?: boolean | undefined;
  /** What callers put before each path; empty: nothing. */
  readonly contextPath: string;
  /** The zone from the environment. */
  readonly zone: string | undefined;
  /** Of a registry that runs no checks. */
  readonly reportTtlMs?: number | undefined;
  /** Of a server that wants certificates of its callers, which the registry has not. */
  readonly inMesh?:
    | { /** Of a plain HTTP server that has the health endpoints. */ readonly checkPort: number | undefined }
    | undefined;
}

const DEFAULT_TTL = '36s';
const DEFAULT_TIMEOUT = '5s';
const ZONE_META = 'zone';

/** The registration from the options of a service and from where the app listens. */
export function describeRegistration(options: ServiceOptions, listening: Listening): RegistrationSpec {
  const port = options.port ?? listening.port;
  const id = options.id ?? `${options.name}-${listening.hostName}-${port}`;
  const checks = checksOf(options, listening);
  const zone = options.zone ?? listening.zone;
  const meta: NonNullable<ServiceOptions['meta']> = {
    ...(zone === undefined ? {} : { [ZONE_META]: zone }),
    ...(listening.hasHealthPath
      ? { [READINESS_META]: `${listening.healthPath}/ready` }
      : { [RPC_META]: 'true' }),
    ...(listening.contextPath === '' ? {} : { [CONTEXT_PATH_META]: listening.contextPath }),
    ...options.meta,
  };
  const tagged = Object.entries(options.taggedAddresses ?? {}).map(
    ([name, { address, port: taggedPort = port }]) => [name, { address, port: taggedPort }] as const,
  );
  const location = { ...listening, port: listening.checkIsRemote ? port : listening.port };
  return {
    id,
    service: options.name,
    address: listening.address,
    port,
    secure: options.secure ?? listening.secure,
    tags: options.tags ?? [],
    enableTagOverride: options.enableTagOverride ?? false,
    meta: Object.fromEntries(Object.entries(meta).map(([key, value]) => [key, String(value)])),
    weights: options.weights && { passing: options.weights.passing, warning: options.weights.warning ?? 1 },
    taggedAddresses: Object.fromEntries(tagged),
    checks: checks.map((check, index) =>
      describeCheck(check, `${id}:${checkIdOf(check, index, checks.length)}`, location),
    ),
  };
}

/** The checks of the options, or the default one. */
export function checksOf(
  { check }: ServiceOptions,
  {
    secure,
    hasHealthPath,
    hasGrpcHealth,
    reportTtlMs,
    inMesh,
  }: Pick<Listening, 'secure' | 'hasHealthPath' | 'hasGrpcHealth' | 'reportTtlMs' | 'inMesh'>,
): readonly CheckOptions[] {
  const given = [check ?? []].flat() as readonly CheckOptions[];
  if (reportTtlMs !== undefined) {
    const reported = given.filter(({ type }) => type === 'ttl');
    return reported.length > 0 ? reported : [{ type: 'ttl', ttl: reportTtlMs }];
  }
  if (given.length > 0) return given;
  if (inMesh && hasHealthPath)
    return inMesh.checkPort === undefined
      ? [{ type: 'https', interval: '10s', tlsSkipVerify: true }]
      : [{ type: 'http', interval: '10s' }];
  if (inMesh) return [{ type: 'ttl' }];
  if (hasHealthPath) return [{ type: secure ? 'https' : 'http', interval: '10s' }];
  return hasGrpcHealth ? [{ type: 'grpc', interval: '10s', useTls: secure }] : [{ type: 'ttl' }];
}

type CheckLocation = Pick<Listening, 'checkHost' | 'port' | 'healthPath' | 'inMesh'>;
/** What a check of its type consists of, with a default name, and what it does in words. */
type CheckDescription = DistributiveOmit<RegistrationCheck, 'id' | 'name' | 'notes'> & {
  readonly name: string;
  readonly description: string;
};
type DistributiveOmit<T, K extends string> = T extends unknown ? Omit<T, K> : never;

function describeCheck(check: CheckOptions, id: string, location: CheckLocation): RegistrationCheck {
  const { description, ...described } = describeByType(check, location);
  return {
    ...described,
    id,
    name: check.name ?? described.name,
    notes: check.notes ?? description,
    status: check.status,
    successBeforePassing: check.successBeforePassing,
    failuresBeforeCritical: check.failuresBeforeCritical,
    deregisterCriticalServiceAfterMs: toMilliseconds(
      check.deregisterCriticalServiceAfter ?? '10m',
      'service.check.deregisterCriticalServiceAfter',
    ),
  };
}

function describeByType(check: CheckOptions, location: CheckLocation): CheckDescription {
  const addressOf = (port = location.port): string => hostAndPort({ address: location.checkHost, port });
  switch (check.type) {
    case 'http':
    case 'https': {
      const path = check.path ?? location.healthPath;
      const port = check.type === 'http' ? location.inMesh?.checkPort : undefined;
      const url = check.url ?? `${check.type}://${addressOf(port)}${path}`;
      const { method, headers, body, tlsSkipVerify = false } = check;
      // Everyone who may read the catalog sees these two.
      const name = `${check.type.toUpperCase()} ${check.url === undefined ? path : withoutUrlSecrets(check.url)}`;
      const description = `${method ?? 'GET'} ${withoutUrlSecrets(url)} ${schedule(check)}`;
      return { type: 'http', name, description, url, method, headers, body, tlsSkipVerify, ...polled(check) };
    }
    case 'tcp': {
      const address = check.address ?? addressOf(check.port);
      const description = `connects ${schedule(check)}`;
      return { type: 'tcp', name: `TCP ${address}`, description, address, ...polled(check) };
    }
    case 'grpc': {
      const host = check.address ?? addressOf(check.port);
      const address = check.service === undefined ? host : `${host}/${check.service}`;
      const { useTls = false, tlsSkipVerify = false } = check;
      const name = `gRPC ${address}`;
      const description = `grpc.health.v1.Health/Check ${schedule(check)}`;
      return { type: 'grpc', name, description, address, useTls, tlsSkipVerify, ...polled(check) };
    }
    case 'ttl': {
      const { ttl = DEFAULT_TTL } = check;
      const description = `reported by the app at least every ${written(ttl)}`;
      return { type: 'ttl', name: 'TTL', description, ttlMs: toMilliseconds(ttl, 'service.check.ttl') };
    }
    case 'script': {
      const { args } = check;
      const name = `script ${String(args[0])}`;
      return { type: 'script', name, description: schedule(check), args, ...polled(check) };
    }
    case 'alias': {
      const { aliasService: service, aliasNode: node } = check;
      const target = [service, node && `node ${node}`].filter(Boolean).join(' of ');
      return {
        type: 'alias',
        name: `alias of ${target}`,
        description: `same health as ${target}`,
        service,
        node,
      };
    }
  }
}

type PolledCheckOptions = Extract<CheckOptions, { interval: unknown }>;

function polled(check: PolledCheckOptions): { intervalMs: number; timeoutMs: number } {
  return {
    intervalMs: toMilliseconds(check.interval, 'service.check.interval'),
    timeoutMs: toMilliseconds(check.timeout ?? DEFAULT_TIMEOUT, 'service.check.timeout'),
  };
}

function schedule({ interval, timeout = DEFAULT_TIMEOUT }: PolledCheckOptions): string {
  return `every ${written(interval)}, timeout ${written(timeout)}`;
}

/** As the user wrote it, if it is a string. */
function written(duration: Duration): string {
  return typeof duration === 'string' ? duration : formatDuration(duration);
}
