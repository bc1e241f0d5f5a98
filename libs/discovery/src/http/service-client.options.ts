import { z } from 'zod';
import type { CallOptions, CallReport } from '../calling/call-options.js';
import { durationSchema } from '../configuration/validate-options.js';
import { serviceQuerySchema } from '../registry/service-query.js';

/** Defaults of one client; each may be overridden per call under `call` in the request's config. */
export type ServiceClientOptions = Pick<CallOptions, 'query' | 'timeout' | 'attemptTimeout'>;

export const serviceClientOptionsSchema = z.strictObject({
  timeout: durationSchema().optional(),
  attemptTimeout: durationSchema().optional(),
  query: serviceQuerySchema.optional(),
});

declare module 'axios' {
  // The names and the type parameters must be those of axios's own declarations to merge with them.
  export interface AxiosRequestConfig {
    /** How Rookery makes this call. */
    call?: ServiceClientOptions;
  }
  export interface AxiosResponse {
    /** What this call did: each attempt, the last one answered. Set by Rookery's service clients. */
    call?: CallReport;
  }
  export interface AxiosError {
    /** What this call did: each attempt with its reason. Set by Rookery's service clients. */
    call?: CallReport;
  }
}
