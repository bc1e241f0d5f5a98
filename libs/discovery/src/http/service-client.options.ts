import { z } from 'zod';
import type { CallOptions, CallReport } from '../calling/call-options.js';
import { durationSchema, text } from '../configuration/validate-options.js';

/** Defaults of one client; each may be overridden per call under `call` in the request's config. */
export type ServiceClientOptions = Pick<CallOptions, 'query' | 'timeout' | 'attemptTimeout'>;

const texts = z.array(z.string({ error: 'must be text' }), {
  error: "must be an array of texts, such as ['v1']",
});

export const serviceClientOptionsSchema = z.strictObject({
  timeout: durationSchema().optional(),
  attemptTimeout: durationSchema().optional(),
  query: z
    .strictObject({
      tags: texts.optional(),
      meta: z
        .record(z.string(), z.string({ error: 'must be text' }), { error: 'must be an object of texts' })
        .optional(),
      filter: text('must be a filter expression').optional(),
      datacenter: text("must be a datacenter's name").optional(),
      near: text("must be a node's name, or _agent").optional(),
      includeWarning: z.boolean({ error: 'must be true or false' }).optional(),
    })
    .optional(),
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
