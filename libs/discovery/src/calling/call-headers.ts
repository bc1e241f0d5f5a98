/** How many more milliseconds the caller waits for the response. A duration, so that no two clocks have to agree. */
export const TIMEOUT_HEADER = 'rookery-timeout';

/** The service that the caller means, as `headerText`; in a response, the service that rejected the request as misdirected. */
export const SERVICE_HEADER = 'rookery-service';

/**
 * `host:port` that the caller connects to. A proxy that forwards our headers forwards them to another address, which must not
 * take the name of the proxy's service for its own.
 */
export const ADDRESS_HEADER = 'rookery-address';

/** The request was meant for another service (RFC 9110, 15.5.20). It was not processed, so any request may be retried elsewhere. */
export const MISDIRECTED = 421;

/** Any text as the value of a header, which carries ASCII only: the rest is percent-encoded (RFC 3986). */
export function headerText(text: string): string {
  return text.replace(/[^\x21-\x24\x26-\x7e]/gu, (character) =>
    // A lone surrogate has no encoding.
    encodeURIComponent(/\p{Surrogate}/u.test(character) ? '\ufffd' : character),
  );
}
