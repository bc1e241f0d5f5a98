import { hostname } from 'node:os';

/** The process that holds a lock, or leads: the JSON in its key. */
export interface LockHolder {
  /** The service of the process; undefined: it registers none. */
  readonly service?: string;
  /** Its instance id, by which `DiscoveryService` finds it; undefined: it is not registered. */
  readonly id?: string;
  /** As it is registered; without it, the instance is at the address of its node. */
  readonly address?: string;
  readonly port?: number;
  readonly host?: string;
  readonly pid?: number;
  /** When it acquired it: ISO 8601, by the clock of that host. */
  readonly since?: string;
}

/** This app, as it is registered at present. */
export type RegisteredInstance = Pick<LockHolder, 'service' | 'id' | 'address' | 'port'>;

/** This process, from now on. */
export function thisHolder(instance: RegisteredInstance): LockHolder {
  return { ...instance, host: hostname(), pid: process.pid, since: new Date().toISOString() };
}

/** What another program wrote, such as `consul lock`, has none of the fields. */
export function parseHolder(value: Uint8Array): LockHolder {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(value).toString('utf8'));
  } catch {
    return {};
  }
  if (typeof parsed !== 'object' || parsed === null) return {};
  const fields = parsed as Record<string, unknown>;
  const text = (name: string): Record<string, string> => {
    const field = fields[name];
    return typeof field === 'string' ? { [name]: field } : {};
  };
  const integer = (name: string): Record<string, number> => {
    const field = fields[name];
    return typeof field === 'number' ? { [name]: field } : {};
  };
  return {
    ...text('service'),
    ...text('id'),
    ...text('address'),
    ...integer('port'),
    ...text('host'),
    ...integer('pid'),
    ...text('since'),
  };
}

/** For a log or an error. */
export function describeHolder({ service, id, host, pid }: LockHolder): string {
  const where = [host === undefined ? undefined : `on ${host}`, pid === undefined ? undefined : `pid ${pid}`];
  return [id ?? service, ...where].filter((part) => part !== undefined).join(', ') || 'another program';
}
