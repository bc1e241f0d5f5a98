import type { CallReport } from '../calling/options/call-options.js';

/**
 * The report of a failed call, from the error of a service client: the same as `error.call`, which TypeScript does not know of an
 * `AxiosError` in CommonJS, where axios declares it as a class that cannot be added to.
 *
 * @returns undefined for any other error, and for a call that was cancelled
 */
export function callReportOf(error: unknown): CallReport | undefined {
  const { call } = (error ?? {}) as { call?: CallReport };
  return Array.isArray(call?.attempts) ? call : undefined;
}
