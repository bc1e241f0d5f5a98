import { z } from 'zod';
import type { AxiosError } from 'axios';
import './axios-error-types.js';
import type { CallDefaults, CallOptions, CallReport } from '../calling/options/call-options.js';
import { callDefaultsShape } from '../calling/options/client-options.js';
import { httpDefaultsShape, type HttpDefaults } from '../calling/options/http-options.js';
import type { OptionShape } from '../configuration/validate-options.js';
import { NEAR_HINT, serviceQuerySchema } from '../registry/service-query.js';

/** The defaults of one client; each can be overridden per call, under `call` in the request's config. */
export type ServiceClientOptions = CallDefaults & HttpDefaults & Pick<CallOptions, 'query' | 'idempotent'>;

/** The options of one request; they override the client's defaults. */
export type ServiceRequestOptions = ServiceClientOptions &
  Pick<CallOptions, 'hashKey'> & {
    /** Of a request only: the data to respond with when the call failed, also with a status of 500 or more, was rejected, or could not be made. */
    fallback?: (error: AxiosError) => unknown;
  };

export const serviceClientOptionsSchema = z.strictObject({
  ...callDefaultsShape,
  ...httpDefaultsShape,
  idempotent: z.boolean({ error: 'must be true or false' }).optional(),
  query: serviceQuerySchema
    .refine(({ near }) => near === undefined, { error: NEAR_HINT, path: ['near'] })
    .optional(),
} satisfies OptionShape<ServiceClientOptions>);

declare module 'axios' {
  // The names and type parameters have to be those of axios's own declarations, to merge with them.
  export interface AxiosRequestConfig {
    /** How Rookery makes this call. */
    call?: ServiceRequestOptions;
  }
  export interface AxiosResponse {
    /** Each attempt of this call; the last one succeeded. Set by Rookery's service clients. */
    call?: CallReport;
  }
}
