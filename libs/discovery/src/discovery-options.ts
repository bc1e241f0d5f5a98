import { z } from 'zod';
import { type Duration } from './configuration/duration.js';
import { durationSchema } from './configuration/validate-options.js';
import { serviceOptionsSchema, type ServiceOptions } from './registration/registration-options.js';

/** The options that are the same for every registry. */
export interface DiscoveryOptions {
  /** What this app is registered as. Leave it out to discover only. */
  service?: ServiceOptions;
  health?: HealthOptions;
  discovery?: CatalogUseOptions;
  shutdown?: ShutdownOptions;
}

export interface HealthOptions {
  /** Where the health endpoints are mounted: this path, and `/live` and `/ready` below it. Default: `'/health'`. */
  path?: string;
  /** How long one contributor may take. Default: `'4s'`, less than the timeout of the registry's check. */
  timeout?: Duration;
}

export interface CatalogUseOptions {
  /** How long the very first use of a service waits for its list. Default: `'5s'`. */
  firstListTimeout?: Duration;
}

export interface ShutdownOptions {
  /** How long deregistration may take. Default: `'3s'`. */
  deregisterTimeout?: Duration;
}

/** One entry for each key of `DiscoveryOptions`, to be spread into an adapter's own schema. */
export const discoveryOptionsShape = {
  service: serviceOptionsSchema.optional(),
  health: z
    .strictObject({
      path: z
        .string({ error: "must be a path such as '/health'" })
        .regex(/^(\/[\w.~-]+)+$/, { error: "must be a path such as '/health', without a slash at its end" })
        .optional(),
      timeout: durationSchema().optional(),
    })
    .optional(),
  discovery: z.strictObject({ firstListTimeout: durationSchema().optional() }).optional(),
  shutdown: z.strictObject({ deregisterTimeout: durationSchema().optional() }).optional(),
};
