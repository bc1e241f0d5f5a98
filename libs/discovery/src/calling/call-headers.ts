/** How many milliseconds the caller goes on waiting for this answer: a length of time, so that no two clocks need agree. */
export const TIMEOUT_HEADER = 'rookery-timeout';

/** Which service the caller means; in an answer, which one refused to be taken for another. */
export const SERVICE_HEADER = 'rookery-service';

/** The peer is not who the request is for (RFC 9110, 15.5.20): it has done nothing, so that any request may go elsewhere. */
export const MISDIRECTED = 421;
