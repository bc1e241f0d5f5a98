/** How a service client differs from plain axios, by name. The table of the page on clients says the same to users. */
export const DIFFERENCES = [
  'accept-encoding',
  'absolute-url',
  'circular',
  'error-name',
  'read-stream',
  'max-content-length',
  'host-over-tls',
] as const;

export type Difference = (typeof DIFFERENCES)[number];
