import type { HttpDefaults } from '../../calling/options/http-options.js';
import { omitUndefined } from '../../configuration/omit-undefined.js';
import type { ServiceRequestOptions } from '../service-client.options.js';

/** The options of a call, whatever its transport is. */
export type OwnOptions = Omit<ServiceRequestOptions, keyof HttpDefaults>;

/** The options of a client or a request, apart by what uses them. */
export function splitOptions(options: ServiceRequestOptions): { http: HttpDefaults; call: OwnOptions } {
  const { maxContentLength, streamIdleTimeout, contextPath, redirects, ...call } = options;
  return {
    http: omitUndefined({ maxContentLength, streamIdleTimeout, contextPath, redirects } satisfies Record<
      keyof HttpDefaults,
      unknown
    >),
    call: omitUndefined<OwnOptions>(call),
  };
}
