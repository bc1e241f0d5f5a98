import { z } from 'zod';
import { clientsOptionsSchema, type ClientsOptions } from './calling/options/client-options.js';
import { type Duration } from './configuration/duration.js';
import { durationSchema, text } from './configuration/validate-options.js';
import type { HealthDetails } from './health/health-routes.js';
import { InstanceSource } from './registry/instance-source.js';
import { serviceOptionsSchema, type ServiceOptions } from './registration/options/service-options.js';

/** The options that are the same for every registry. */
export interface DiscoveryOptions {
  /** What this app is registered as: one service, or several. Leave it out to discover only. */
  service?: ServiceOptions | readonly ServiceOptions[];
  /**
   * `background`: the app starts without the registry, and registers when that answers. `fail-fast`: the app does not
   * start while the registry does not answer, or refuses the token. Default: `background`.
   */
  startup?: 'background' | 'fail-fast';
  health?: HealthOptions;
  discovery?: CatalogUseOptions;
  /** How this app calls others. */
  clients?: ClientsOptions;
  shutdown?: ShutdownOptions;
}

export interface HealthOptions {
  /** Where the health endpoints are mounted: this path, and `/live` and `/ready` below it. Default: `'/health'`. */
  path?: string;
  /** How long one contributor may take. Default: `'4s'`, less than the timeout of the registry's check. */
  timeout?: Duration;
  /** How long a result is given to others who ask. Default: `'1s'`. */
  cache?: Duration;
  /** Who is told more than the status: which indicators there are, and what is wrong. Default: `loopback`, this host. */
  details?: HealthDetails;
  /** When the process counts as *degraded* by its own load. Default: never. */
  degradedAbove?: LoadOptions;
}

export interface LoadOptions {
  /** Delay of the event loop, 99th percentile between two looks. */
  eventLoopLag?: Duration;
  /** Share of the heap limit that is in use, 0 to 1. */
  heapUsed?: number;
}

export interface CatalogUseOptions {
  /** How long the very first use of a service waits for its list. Default: `'5s'`. */
  firstListTimeout?: Duration;
  /**
   * Where instances are looked up, best first: `'registry'` (Consul) once, and sources of your own beside it, such as a
   * `StaticRegistry` or a `DnsRegistry`. Default: `['registry']`.
   */
  sources?: readonly ('registry' | InstanceSource)[];
  /** `first`: the first source that has usable instances; `all`: the instances of all of them. Default: `first`. */
  merge?: 'first' | 'all';
  /**
   * A folder in which lists are kept, for a process that starts while the registry is away. Processes of one host may
   * share it. Default: none.
   */
  snapshotDirectory?: string;
  endpoint?: DiscoveryEndpointOptions;
}

export interface DiscoveryEndpointOptions {
  /** Where this app tells what it knows of other services, and why. Default: `'/discovery'`. */
  path?: string;
  /** Who is told. Default: `loopback`, this host. */
  visibleTo?: HealthDetails;
}

export interface ShutdownOptions {
  /** How long deregistration may take. Default: `'3s'`. */
  deregisterTimeout?: Duration;
  /** Leave the registry when the app ends. Default: true. */
  deregister?: boolean;
  /**
   * How long requests may go on coming after that; the wait ends as soon as none has come for a second. 0 does not wait.
   * Default: `'10s'`.
   */
  drain?: Duration;
  /** How long requests under way may take, then. Default: `'30s'`. */
  inFlight?: Duration;
  /** All of it together, whatever the parts say. Default: `'45s'`. */
  timeout?: Duration;
}

const audience = z.enum(['nobody', 'loopback', 'everyone'], {
  error: "must be 'nobody', 'loopback' or 'everyone'",
});

function pathSchema(example: string): z.ZodString {
  return z
    .string({ error: `must be a path such as '${example}'` })
    .regex(/^(\/[\w.~-]+)+$/, { error: `must be a path such as '${example}', without a slash at its end` });
}

/** One entry for each key of `DiscoveryOptions`, to be spread into an adapter's own schema. */
export const discoveryOptionsShape = {
  service: serviceOptionsSchema.optional(),
  health: z
    .strictObject({
      path: pathSchema('/health').optional(),
      timeout: durationSchema().optional(),
      cache: durationSchema(0).optional(),
      details: audience.optional(),
      degradedAbove: z
        .strictObject({
          eventLoopLag: durationSchema().optional(),
          heapUsed: z
            .number({ error: 'must be a share from 0 to 1, such as 0.9' })
            .gt(0, { error: 'must be more than 0' })
            .lte(1, { error: 'must be at most 1, the whole heap' })
            .optional(),
        })
        .optional(),
    })
    .optional(),
  discovery: z
    .strictObject({
      firstListTimeout: durationSchema().optional(),
      sources: z
        .array(
          z.union([z.literal('registry'), z.instanceof(InstanceSource)], {
            error: "must be 'registry', or a source such as new StaticRegistry({ ... })",
          }),
          { error: "must be an array such as ['registry', new StaticRegistry({ ... })]" },
        )
        .refine((sources) => sources.filter((source) => source === 'registry').length === 1, {
          error: "must name 'registry' once",
        })
        .optional(),
      merge: z.enum(['first', 'all'], { error: "must be 'first' or 'all'" }).optional(),
      snapshotDirectory: text('must be the path of a folder').optional(),
      endpoint: z
        .strictObject(
          { path: pathSchema('/discovery').optional(), visibleTo: audience.optional() },
          { error: "must be an object such as { visibleTo: 'nobody' }" },
        )
        .optional(),
    })
    .optional(),
  clients: clientsOptionsSchema.optional(),
  startup: z.enum(['background', 'fail-fast'], { error: "must be 'background' or 'fail-fast'" }).optional(),
  shutdown: z
    .strictObject({
      deregisterTimeout: durationSchema().optional(),
      deregister: z.boolean({ error: 'must be true or false' }).optional(),
      drain: durationSchema(0).optional(),
      inFlight: durationSchema(0).optional(),
      timeout: durationSchema().optional(),
    })
    .optional(),
};
