import { z } from 'zod';
import type { AxiosError } from 'axios';
import type { CallDefaults, CallOptions, CallReport } from '../calling/options/call-options.js';
import { callDefaultsShape } from '../calling/options/client-options.js';
import { serviceQuerySchema } from '../registry/service-query.js';

/** Defaults of one client; each may be overridden per call under `call` in the request's config. */
export type ServiceClientOptions = CallDefaults & Pick<CallOptions, 'query' | 'idempotent'>;

/** How one request is made: what stands here goes before the client's defaults. */
export type ServiceRequestOptions = ServiceClientOptions &
  Pick<CallOptions, 'hashKey'> & {
    /** The data to answer with when the call failed for good, was refused, or could not be made. */
    fallback?: (error: AxiosError) => unknown;
  };

export const serviceClientOptionsSchema = z.strictObject({
  ...callDefaultsShape,
  idempotent: z.boolean({ error: 'must be true or false' }).optional(),
  query: serviceQuerySchema.optional(),
});

declare module 'axios' {
  // The names and the type parameters must be those of axios's own declarations to merge with them.
  export interface AxiosRequestConfig {
    /** How Rookery makes this call. */
    call?: ServiceRequestOptions;
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
