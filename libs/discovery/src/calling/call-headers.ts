import { hostAndPort, isOfRookery, type ServiceInstance } from '../registry/service-instance.js';

/** How many more milliseconds the caller waits for the response. A duration, so that no two clocks have to agree. */
export const TIMEOUT_HEADER = 'rookery-timeout';

/** The service that the caller means, as `headerText`; in a response, the service that rejected the request as misdirected. */
export const SERVICE_HEADER = 'rookery-service';

/**
 * `host:port` that the caller connects to. A proxy that forwards our headers forwards them to another address, which must not
 * take the name of the proxy's service for its own.
 */
export const ADDRESS_HEADER = 'rookery-address';

/** Asks a server for its load: the formats that the caller reads. Of ORCA, as Envoy and gRPC have it. */
export const LOAD_FORMAT_HEADER = 'endpoint-load-metrics-format';
/** In a response: the load of the server. */
export const LOAD_HEADER = 'endpoint-load-metrics';

/** The request was meant for another service (RFC 9110, 15.5.20). It was not processed, so any request may be retried elsewhere. */
export const MISDIRECTED = 421;

/** Any text as the value of a header, which carries ASCII only: the rest is percent-encoded (RFC 3986). */
export function headerText(text: string): string {
  return text.replace(/[^\x21-\x24\x26-\x7e]/gu, (character) =>
    // A lone surrogate has no encoding.
    encodeURIComponent(/\p{Surrogate}/u.test(character) ? '\ufffd' : character),
  );
}

const NO_HEADERS: readonly string[] = [];

/**
 * The headers of an attempt: how long the caller waits, and, to an app that Rookery registered, which service is meant.
 *
 * @param context names and values that travel on from the request that this app is processing
 */
export function callHeaders(
  instance: ServiceInstance,
  timeoutMs: number,
  context: readonly string[] = NO_HEADERS,
): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {
    [TIMEOUT_HEADER]: String(Math.ceil(timeoutMs)),
    ...recipientHeaders(instance),
  };
  for (let n = 0; n + 1 < context.length; n += 2) headers[context[n] ?? ''] = context[n + 1] ?? '';
  return headers;
}

/** The same as a list of names and values, to which `base` is the beginning. What the caller of this app sent gives way to it. */
export function callHeaderList(
  base: readonly string[],
  instance: ServiceInstance,
  timeoutMs: number,
  context: readonly string[] = NO_HEADERS,
): string[] {
  const recipient = recipientHeaders(instance);
  const list = [...base, TIMEOUT_HEADER, String(Math.ceil(timeoutMs))];
  if (recipient) for (const name in recipient) list.push(name, recipient[name] ?? '');
  for (let n = 0; n + 1 < context.length; n += 2) {
    const name = context[n] ?? '';
    if (!hasName(base, name)) list.push(name, context[n + 1] ?? '');
  }
  return list;
}

function hasName(list: readonly string[], name: string): boolean {
  for (let n = 0; n < list.length; n += 2) if (list[n]?.toLowerCase() === name) return true;
  return false;
}

export function isCallHeader(name: string): boolean {
  return name === TIMEOUT_HEADER || name === SERVICE_HEADER || name === ADDRESS_HEADER;
}

/** Instances are immutable, and many calls go to each. */
const recipients = new WeakMap<ServiceInstance, Readonly<Record<string, string>> | undefined>();

/** Only apps that Rookery registered check it: in a static list the same service may have another name. */
export function recipientHeaders(instance: ServiceInstance): Readonly<Record<string, string>> | undefined {
  const known = recipients.get(instance);
  if (known || recipients.has(instance)) return known;
  const headers = isOfRookery(instance)
    ? { [SERVICE_HEADER]: headerText(instance.service), [ADDRESS_HEADER]: hostAndPort(instance) }
    : undefined;
  recipients.set(instance, headers);
  return headers;
}
