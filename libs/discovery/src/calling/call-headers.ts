/** How many more milliseconds the caller waits for the response. A duration, so that no two clocks have to agree. */
export const TIMEOUT_HEADER = 'rookery-timeout';

/** The service that the caller means; in a response, the service that rejected the request as misdirected. */
export const SERVICE_HEADER = 'rookery-service';

/** The request was meant for another service (RFC 9110, 15.5.20). It was not processed, so any request may be retried elsewhere. */
export const MISDIRECTED = 421;
