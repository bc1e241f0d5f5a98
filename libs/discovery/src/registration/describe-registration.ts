import { toMilliseconds } from '../configuration/duration.js';
import { hostAndPort } from '../registry/service-instance.js';
import type { RegistrationCheck, ServiceRegistration } from '../registry/service-registration.js';
import type { CheckOptions, ServiceOptions } from './registration-options.js';

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
}

const DEFAULT_INTERVAL = '10s';

/** The desired state, from what the user wants and where the app came up. */
export function describeRegistration(
  options: ServiceOptions,
  listening: Listening,
  status: ServiceRegistration['status'],
): ServiceRegistration {
  const port = options.port ?? listening.port;
  const id = options.id ?? `${options.name}-${listening.hostName}-${port}`;
  const secure = options.secure ?? listening.secure;
  const usual: CheckOptions = { type: listening.secure ? 'https' : 'http', interval: DEFAULT_INTERVAL };
  const checks = toArray(options.check ?? usual);
  return {
    id,
    service: options.name,
    address: listening.address,
    port,
    secure,
    tags: options.tags ?? [],
    meta: Object.fromEntries(Object.entries(options.meta ?? {}).map(([key, value]) => [key, String(value)])),
    weights: options.weights && { passing: options.weights.passing, warning: options.weights.warning ?? 1 },
    checks: checks.map((check, index) =>
      describeCheck(check, `${id}:${checks.length === 1 ? check.type : `${check.type}-${index + 1}`}`, {
        ...listening,
        port: listening.checkIsRemote ? port : listening.port,
      }),
    ),
    status,
  };
}

function describeCheck(check: CheckOptions, id: string, listening: Listening): RegistrationCheck {
  const shared = {
    id,
    interval: toMilliseconds(check.interval, 'service.check.interval'),
    timeout: toMilliseconds(check.timeout ?? '5s', 'service.check.timeout'),
    deregisterCriticalServiceAfter: toMilliseconds(
      check.deregisterCriticalServiceAfter ?? '10m',
      'service.check.deregisterCriticalServiceAfter',
    ),
  };
  const host = { address: listening.checkHost, port: listening.port };
  if (check.type === 'tcp') {
    const address = hostAndPort({ ...host, port: check.port ?? listening.port });
    return { ...shared, type: 'tcp', name: `TCP ${address}`, address };
  }
  const scheme = check.type;
  const path = check.path ?? listening.healthPath;
  return {
    ...shared,
    type: 'http',
    name: `${scheme.toUpperCase()} ${path}`,
    url: `${scheme}://${hostAndPort(host)}${path}`,
    method: check.method,
    headers: check.headers,
    tlsSkipVerify: check.tlsSkipVerify ?? false,
  };
}

function toArray<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? (value as readonly T[]) : [value as T];
}
