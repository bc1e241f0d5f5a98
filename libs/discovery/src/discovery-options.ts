import { z } from 'zod';
import type { ServiceMesh } from './certificates/service-mesh.js';
import { clientsOptionsSchema, type ClientsOptions } from './calling/options/client-options.js';
import { type Duration } from './configuration/duration.js';
import { durationSchema, nonEmptyString, type OptionShape } from './configuration/validate-options.js';
import { eventOptionsSchema, type EventOptions } from './events/event-options.js';
import type { Exposure } from './health/exposure.js';
import { contextOptionsSchema, type ContextOptions } from './receiving/context-options.js';
import { sheddingOptionsSchema, type LoadSheddingOptions } from './receiving/shedding/shedding-options.js';
import type { LoadExposure } from './receiving/load/load-exposure.js';
import { InstanceSource } from './registry/instance-source.js';
import { ServiceRegistry } from './registry/service-registry.js';
import { telemetryOptionsSchema, type TelemetryOptions } from './telemetry/telemetry-options.js';
import { serviceOptionsSchema, type ServiceOptions } from './registration/options/service-options.js';

/** The options that are the same for every registry. */
export interface DiscoveryOptions {
  /** The service that this app registers, or several. Leave it out to discover only. */
  service?: ServiceOptions | readonly ServiceOptions[];
  /**
   * Other registries in which this app is registered as well, as long as a system moves from one to another. Those that are in
   * `discovery.sources`, too, are read after this one. Default: none.
   */
  alsoRegister?: readonly ServiceRegistry[];
  /**
   * `background`: the app starts without the registry, and registers when it is reachable. `fail-fast`: the app does not
   * start when the registry is unreachable, or refuses the token. Default: `background`.
   */
  startup?: 'background' | 'fail-fast';
  health?: HealthOptions;
  discovery?: LookupOptions;
  /** How this app calls others. */
  clients?: ClientsOptions;
  shutdown?: ShutdownOptions;
  /** What calls take from the incoming request that they are made for; `true`: the defaults. Default: false, nothing. */
  context?: boolean | ContextOptions;
  /**
   * Which callers are told about the load of this app, by reports in ORCA's format that balancers choose by: those on private networks, all, or none,
   * where nothing is counted either. Default: `private`.
   */
  loadReports?: LoadExposure;
  /** Refuses requests that are more than this app can answer, with 503; `true`: as by default. Default: false. */
  loadShedding?: boolean | LoadSheddingOptions;
  /** What becomes of events: the log, and how many are kept. */
  events?: EventOptions;
  /** What is told to OpenTelemetry, where the process has its SDK; `false`: nothing. Default: true. */
  telemetry?: boolean | TelemetryOptions;
}

/** Validated options, and the registry that the core runs on. */
export interface DiscoveryModuleOptions extends DiscoveryOptions {
  readonly registry: ServiceRegistry;
  /** That this app is part of. Default: none. */
  readonly mesh?: ServiceMesh | undefined;
  /** The module that the application imports, for messages. Default: `DiscoveryModule`. */
  readonly moduleName?: string;
}

export interface HealthOptions {
  /** Where the health endpoints are mounted: this path, and `/live` and `/ready` below it. Default: `'/health'`. */
  path?: string;
  /** Limit of one contributor. Default: `'4s'`, less than the timeout of the registry's check. */
  timeout?: Duration;
  /** How long a result is reused for further requests. Default: `'1s'`. */
  cache?: Duration;
  /** Which callers receive details (the indicators and their messages) besides the status. Default: `loopback`, this host. */
  exposure?: Exposure;
  /** The load above which the process is *degraded*. Default: none. */
  degradedAbove?: LoadOptions;
}

export interface LoadOptions {
  /** Delay of the event loop, 99th percentile between two checks. */
  eventLoopLag?: Duration;
  /** Share of the heap limit that is in use, 0 to 1. */
  heapUsed?: number;
}

export interface LookupOptions {
  /** How long the first use of a service waits for its list. Default: `'5s'`. */
  initialListTimeout?: Duration;
  /**
   * Where instances are looked up, best first: `'registry'` (Consul) once, and sources of your own beside it, such as a
   * `StaticSource` or a `DnsSource`. Default: `['registry']`.
   */
  sources?: readonly ('registry' | InstanceSource)[];
  /** `first`: the first source that has usable instances; `all`: the instances of all of them. Default: `first`. */
  merge?: 'first' | 'all';
  /**
   * A directory in which lists are saved, for a process that starts while the registry is unreachable. Processes of one
   * host may share it. Default: none.
   */
  snapshotDirectory?: string;
  endpoint?: DiscoveryEndpointOptions;
}

export interface DiscoveryEndpointOptions {
  /** Where this app explains the state of the services it calls. Default: `'/discovery'`. */
  path?: string;
  /** Which callers may read it. Default: `loopback`, this host. */
  exposure?: Exposure;
}

/**
 * How the app ends. A process that is restarted when a file changes (`nest start --watch`, `nodemon`, `tsx watch`, `node --watch`;
 * never with `NODE_ENV=production`, nor where `drainTimeout` is set) has shorter defaults, 1 s, 0, 1 s and 2 s, and releases its port at
 * once.
 */
export interface ShutdownOptions {
  /** How long deregistration may take. Default: `'3s'`. */
  deregisterTimeout?: Duration;
  /** Deregister when the app ends. Default: true. */
  deregister?: boolean;
  /**
   * How long to wait after that for callers to stop; it ends as soon as no request has arrived for a second. 0 does not wait.
   * Default: `'10s'`.
   */
  drainTimeout?: Duration;
  /** How long requests in flight may take after that. Default: `'30s'`. */
  inFlightTimeout?: Duration;
  /** Limit of all steps together. Default: `'45s'`. */
  timeout?: Duration;
}

const exposureSchema = z.enum(['none', 'loopback', 'public'], {
  error: "must be 'none', 'loopback' or 'public'",
});

function pathSchema(example: string): z.ZodString {
  return z
    .string({ error: `must be a path such as '${example}'` })
    .regex(/^(\/[\w.~-]+)+$/, { error: `must be a path such as '${example}', without a slash at its end` });
}

/** The schema of each field of `DiscoveryOptions`, to be spread into the schema of a registry's module. */
export const discoveryOptionsShape: OptionShape<DiscoveryOptions> = {
  service: serviceOptionsSchema.optional(),
  alsoRegister: z
    .array(
      z.instanceof(ServiceRegistry, { error: 'must be a registry, such as EtcdRegistry.create({ … })' }),
      {
        error: 'must be an array of registries, such as [EtcdRegistry.create({ … })]',
      },
    )
    .optional(),
  health: z
    .strictObject({
      path: pathSchema('/health').optional(),
      timeout: durationSchema().optional(),
      cache: durationSchema(0).optional(),
      exposure: exposureSchema.optional(),
      degradedAbove: z
        .strictObject({
          eventLoopLag: durationSchema().optional(),
          heapUsed: z
            .number({ error: 'must be a number from 0 to 1, such as 0.9' })
            .gt(0, { error: 'must be more than 0' })
            .lte(1, { error: 'must be at most 1, the whole heap' })
            .optional(),
        } satisfies OptionShape<LoadOptions>)
        .optional(),
    } satisfies OptionShape<HealthOptions>)
    .optional(),
  discovery: z
    .strictObject({
      initialListTimeout: durationSchema().optional(),
      sources: z
        .array(
          z.union([z.literal('registry'), z.instanceof(InstanceSource)], {
            error: "must be 'registry', or a source such as new StaticSource({ ... })",
          }),
          { error: "must be an array such as ['registry', new StaticSource({ ... })]" },
        )
        .refine((sources) => sources.filter((source) => source === 'registry').length === 1, {
          error: "must name 'registry' once",
        })
        .optional(),
      merge: z.enum(['first', 'all'], { error: "must be 'first' or 'all'" }).optional(),
      snapshotDirectory: nonEmptyString('must be the path of a directory').optional(),
      endpoint: z
        .strictObject(
          {
            path: pathSchema('/discovery').optional(),
            exposure: exposureSchema.optional(),
          } satisfies OptionShape<DiscoveryEndpointOptions>,
          { error: "must be an object such as { exposure: 'none' }" },
        )
        .optional(),
    } satisfies OptionShape<LookupOptions>)
    .optional(),
  clients: clientsOptionsSchema.optional(),
  context: contextOptionsSchema.optional(),
  loadReports: z
    .enum(['private', 'public', 'none'], { error: "must be 'private', 'public' or 'none'" })
    .optional(),
  loadShedding: sheddingOptionsSchema.optional(),
  events: eventOptionsSchema.optional(),
  telemetry: telemetryOptionsSchema.optional(),
  startup: z.enum(['background', 'fail-fast'], { error: "must be 'background' or 'fail-fast'" }).optional(),
  shutdown: z
    .strictObject({
      deregisterTimeout: durationSchema().optional(),
      deregister: z.boolean({ error: 'must be true or false' }).optional(),
      drainTimeout: durationSchema(0).optional(),
      inFlightTimeout: durationSchema(0).optional(),
      timeout: durationSchema().optional(),
    } satisfies OptionShape<ShutdownOptions>)
    .optional(),
};
