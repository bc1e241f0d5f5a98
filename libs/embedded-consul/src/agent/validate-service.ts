import { badRequest, serverError } from '../http/api-error.js';
import type { CheckBody, ServiceBody } from './service-schema.js';

const STATUSES: ReadonlySet<string> = new Set(['passing', 'warning', 'critical']);
const WRONG_STATUS = "Status for checks must 'passing', 'warning', 'critical'";
const WILDCARDS: ReadonlySet<string> = new Set(['0.0.0.0', '::', '[::]']);
const MOST_META = 64;
const LONGEST_KEY = 128;
const LONGEST_VALUE = 512; // bytes

/** The checks of a body that are any: an empty one stands for none. */
export function checksOf(service: ServiceBody): CheckBody[] {
  return [...(service.Checks ?? []), ...(service.Check ? [service.Check] : [])].filter((check) =>
    Object.values(check).some(
      (value) => value !== undefined && value !== '' && value !== 0 && value !== false,
    ),
  );
}

/** Refuses what Consul refuses, in the same order and with the same messages. */
export function validateService(service: ServiceBody, enableScriptChecks: boolean): void {
  if (!service.Name) throw badRequest('Missing service name');
  const problem = serviceProblem(service);
  if (problem !== undefined) throw badRequest(problem);
  for (const check of checksOf(service)) {
    if (check.Status && !STATUSES.has(check.Status)) {
      throw badRequest(WRONG_STATUS);
    }
    validateCheck(check);
  }
  if (!enableScriptChecks) for (const check of checksOf(service)) refuseScripts(check);
}

/** A sidecar as it is derived: its errors are those of the agent, not of the request. */
export function validateSidecar(sidecar: ServiceBody, enableScriptChecks: boolean): void {
  const refuse = (problem: string): Error => serverError(`Bad request: ${problem}`);
  const meta = metaProblem(sidecar.Meta ?? {});
  if (meta !== undefined) throw refuse(`Invalid SidecarService: ${meta}`);
  for (const check of checksOf(sidecar)) {
    if (check.Status && !STATUSES.has(check.Status)) throw refuse(WRONG_STATUS);
    const problem = checkProblem(check);
    if (problem !== undefined) throw refuse(`Invalid check in sidecar_service: ${problem}`);
    if (!enableScriptChecks) refuseScripts(check);
  }
}

export function validateCheck(check: CheckBody): void {
  const problem = checkProblem(check);
  if (problem !== undefined) throw badRequest(`Invalid check: ${problem}`);
}

/** A real agent runs scripts only when it is configured to. */
export function refuseScripts(check: CheckBody): void {
  if (!hasScript(check)) return;
  throw serverError(
    "Scripts are disabled on this agent from remote calls; to enable, configure 'enable_script_checks' to true",
  );
}

function hasScript({ ScriptArgs, Args }: CheckBody): boolean {
  return (ScriptArgs?.length ?? 0) > 0 || (Args?.length ?? 0) > 0;
}

function serviceProblem({
  Address,
  Weights,
  Meta,
  Kind,
  Proxy,
  Port,
  Connect,
}: ServiceBody): string | undefined {
  if (Address !== undefined && WILDCARDS.has(Address)) return 'Invalid service address';
  const meta = metaProblem(Meta ?? {});
  if (meta !== undefined) return `Invalid Service Meta: ${meta}`;
  if (Weights) {
    const { Passing = 0, Warning = 0 } = Weights;
    if (Passing < 1) return 'Invalid Weights: Passing must be greater than 0';
    if (Warning < 0) return 'Invalid Weights: Warning must be greater or equal than 0';
    if (Passing > 65_535 || Warning > 65_535)
      return 'Invalid Weights: DNS Weight must be between 0 and 65535';
  }
  const isProxy = Kind === 'connect-proxy';
  const sidecar = Connect?.SidecarService;
  const errors = [
    ...(isProxy && !Proxy?.DestinationServiceName
      ? ['Proxy.DestinationServiceName must be non-empty for Connect proxy services']
      : []),
    ...(isProxy && !Port ? ['Port must be set for a Connect proxy'] : []),
    ...(sidecar?.ID ? ['A SidecarService cannot specify an ID as this is managed by the agent'] : []),
    ...(sidecar?.Connect?.SidecarService ? ['A SidecarService cannot have a nested SidecarService'] : []),
  ];
  if (errors.length === 0) return undefined;
  const count = errors.length === 1 ? '1 error occurred' : `${errors.length} errors occurred`;
  return `${count}:\n${errors.map((error) => `\t* ${error}\n`).join('')}\n`;
}

function metaProblem(meta: Record<string, string>): string | undefined {
  const entries = Object.entries(meta);
  if (entries.length > MOST_META)
    return `Node metadata cannot contain more than ${MOST_META} key/value pairs`;
  for (const [key, value] of entries) {
    const problem = metaPairProblem(key, value);
    if (problem !== undefined) return `Couldn't load metadata pair ('${key}', '${value}'): ${problem}`;
  }
  return undefined;
}

function metaPairProblem(key: string, value: string): string | undefined {
  if (key === '') return 'Key cannot be blank';
  if (!/^[A-Za-z0-9_-]+$/.test(key)) return 'Key contains invalid characters';
  if (Buffer.byteLength(key) > LONGEST_KEY) return `Key is too long (limit: ${LONGEST_KEY} characters)`;
  if (key.startsWith('consul-')) return "Key prefix 'consul-' is reserved for internal use";
  if (Buffer.byteLength(value) > LONGEST_VALUE)
    return `Value is too long (limit: ${LONGEST_VALUE} characters)`;
  return undefined;
}

function checkProblem(check: CheckBody): string | undefined {
  const interval = check.Interval ?? 0;
  const ttl = check.TTL ?? 0;
  const polled = hasScript(check) || Boolean(check.HTTP) || Boolean(check.TCP) || Boolean(check.GRPC);
  const alias = Boolean(check.AliasNode) || Boolean(check.AliasService);
  if (interval > 0 && ttl > 0) return 'Interval and TTL cannot both be specified';
  if (polled && interval <= 0) return 'Interval must be > 0 for Script, HTTP, or TCP checks';
  if (!polled && !alias && ttl <= 0) return 'TTL must be > 0 for TTL checks';
  if ((check.OutputMaxSize ?? 0) < 0) return 'MaxOutputMaxSize must be positive';
  return undefined;
}
