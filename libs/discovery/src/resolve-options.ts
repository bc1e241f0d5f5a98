import type { ClientsOptions } from './calling/options/client-options.js';
import { toMilliseconds } from './configuration/duration.js';
import { omitUndefined } from './configuration/omit-undefined.js';
import { invalidConfigError } from './configuration/validate-options.js';
import type { DiscoveryOptions, LoadOptions } from './discovery-options.js';
import { DEFAULT_HISTORY } from './events/discovery-events.js';
import { loggerTakesFields } from './events/event-log.js';
import type { Exposure } from './health/exposure.js';
import type { LoadLimits } from './health/load.health.js';
import { contextSettings, type ContextSettings } from './receiving/context-options.js';
import { sheddingSettings, type SheddingSettings } from './receiving/shedding/shedding-options.js';
import type { LoadExposure } from './receiving/load/load-exposure.js';
import type { RegistrationOptions } from './registration/registration.service.js';
import { addressSchema, type ServiceOptions } from './registration/options/service-options.js';
import type { InstanceSource } from './registry/instance-source.js';
import { telemetrySettings, type TelemetrySettings } from './telemetry/telemetry-options.js';

/** The options with their defaults and the environment: complete, and in milliseconds. */
export interface ResolvedDiscoveryOptions extends Pick<
  RegistrationOptions,
  'services' | 'alsoRegister' | 'startup' | 'shutdown' | 'environment'
> {
  readonly health: {
    readonly path: string;
    readonly timeoutMs: number;
    readonly cacheMs: number;
    readonly exposure: Exposure;
    /** Undefined: the load of the process does not count. */
    readonly degradedAbove: LoadLimits | undefined;
  };
  readonly lookup: {
    readonly initialListTimeoutMs: number;
    readonly sources: readonly ('registry' | InstanceSource)[];
    readonly merge: 'first' | 'all';
    readonly snapshotDirectory: string | undefined;
  };
  readonly endpoint: { readonly path: string; readonly exposure: Exposure };
  readonly clients: ClientsOptions;
  readonly context: ContextSettings | undefined;
  readonly loadReports: LoadExposure;
  readonly shedding: SheddingSettings | undefined;
  readonly telemetry: TelemetrySettings;
  readonly events: {
    readonly log: boolean;
    readonly structured: () => boolean;
    readonly linesPerMinute: number;
    readonly history: number;
  };
  readonly moduleName: string;
  /** The zone that calls stay in; undefined: all zones are alike. */
  readonly callerZone: string | undefined;
}

const DEFAULT_LINES_PER_MINUTE = 30;
const SHUTDOWN = { deregisterTimeout: '3s', drainTimeout: '10s', inFlightTimeout: '30s', timeout: '45s' };
/** Of a process whose successor needs its port. */
const QUICK_SHUTDOWN = { deregisterTimeout: '1s', drainTimeout: 0, inFlightTimeout: '1s', timeout: '2s' };

/**
 * Resolves the options once; the only place of the core that reads the environment.
 *
 * @param isRestarted the process is restarted when a file changes, so that its shutdown has to be quick
 * @throws DiscoveryError `RK_CONFIG_INVALID` when `ROOKERY_ADDRESS` is not an address
 */
export function resolveDiscoveryOptions(
  {
    service = [],
    alsoRegister = [],
    health = {},
    discovery = {},
    clients = {},
    startup,
    shutdown = {},
    context,
    loadReports = 'private',
    loadShedding,
    events = {},
    telemetry,
    moduleName = 'DiscoveryModule',
  }: DiscoveryOptions & { readonly moduleName?: string | undefined },
  variables: NodeJS.ProcessEnv,
  isRestarted = false,
): ResolvedDiscoveryOptions {
  const services = Array.isArray(service)
    ? (service as readonly ServiceOptions[])
    : [service as ServiceOptions];
  const environment = {
    address: validAddress(nonEmpty(variables.ROOKERY_ADDRESS)),
    zone: nonEmpty(variables.ROOKERY_ZONE),
  };
  const { timeout = '4s', cache = '1s', exposure = 'loopback', degradedAbove } = health;
  const { initialListTimeout = '5s', sources = ['registry'], merge = 'first', endpoint = {} } = discovery;
  // An explicit drain is kept.
  const isQuick = isRestarted && shutdown.drainTimeout === undefined;
  const {
    deregisterTimeout,
    drainTimeout,
    inFlightTimeout,
    timeout: totalTimeout,
  } = { ...(isQuick ? QUICK_SHUTDOWN : SHUTDOWN), ...omitUndefined(shutdown) };
  const zone = clients.zone ?? services[0]?.zone ?? environment.zone;
  return {
    services,
    alsoRegister,
    environment,
    startup: startup ?? 'background',
    health: {
      path: health.path ?? '/health',
      timeoutMs: toMilliseconds(timeout, 'health.timeout'),
      cacheMs: toMilliseconds(cache, 'health.cache'),
      exposure,
      degradedAbove: degradedAbove && loadLimits(degradedAbove),
    },
    lookup: {
      initialListTimeoutMs: toMilliseconds(initialListTimeout, 'discovery.initialListTimeout'),
      sources,
      merge,
      snapshotDirectory: discovery.snapshotDirectory,
    },
    endpoint: { path: endpoint.path ?? '/discovery', exposure: endpoint.exposure ?? 'loopback' },
    clients,
    context: contextSettings(context),
    loadReports,
    shedding: sheddingSettings(loadShedding),
    telemetry: telemetrySettings(telemetry),
    events: {
      log: events.log ?? true,
      structured: events.structured === undefined ? loggerTakesFields : () => events.structured === true,
      linesPerMinute: events.linesPerMinute ?? DEFAULT_LINES_PER_MINUTE,
      history: events.history ?? DEFAULT_HISTORY,
    },
    moduleName,
    callerZone: zone === false ? undefined : zone,
    shutdown: {
      deregister: shutdown.deregister ?? true,
      deregisterTimeoutMs: toMilliseconds(deregisterTimeout, 'shutdown.deregisterTimeout'),
      drainMs: toMilliseconds(drainTimeout, 'shutdown.drainTimeout'),
      inFlightMs: toMilliseconds(inFlightTimeout, 'shutdown.inFlightTimeout'),
      totalMs: toMilliseconds(totalTimeout, 'shutdown.timeout'),
      releasePortFirst: isQuick,
    },
  };
}

function loadLimits({ eventLoopLag, heapUsed }: LoadOptions): LoadLimits {
  const field = 'health.degradedAbove.eventLoopLag';
  return {
    eventLoopLagMs: eventLoopLag === undefined ? undefined : toMilliseconds(eventLoopLag, field),
    heapUsed,
  };
}

/** A variable that is set to an empty string counts as not set. */
function nonEmpty(variable: string | undefined): string | undefined {
  return variable === '' ? undefined : variable;
}

function validAddress(address: string | undefined): string | undefined {
  const result = addressSchema.optional().safeParse(address);
  if (result.success) return address;
  throw invalidConfigError('environment', [
    {
      field: 'ROOKERY_ADDRESS',
      value: JSON.stringify(address),
      hint: result.error.issues.map(({ message }) => message).join('; '),
    },
  ]);
}
