import { BlockList, isIP } from 'node:net';
import type { IncomingHttpHeaders } from 'node:http';
import { isProxied } from '../proxied.js';

/** Which callers are told about the load of this app: those on private networks, all, or none. */
export type LoadExposure = 'private' | 'public' | 'none';

/** RFC 1918, RFC 6598, RFC 4193, link-local and loopback addresses. */
const PRIVATE = new BlockList();
for (const [address, prefix] of [
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['100.64.0.0', 10],
  ['169.254.0.0', 16],
  ['127.0.0.0', 8],
] as const)
  PRIVATE.addSubnet(address, prefix);
for (const [address, prefix] of [
  ['fc00::', 7],
  ['fe80::', 10],
  ['::1', 128],
] as const)
  PRIVATE.addSubnet(address, prefix, 'ipv6');

/** With `private`, a request through a proxy does not count: its address is that of the proxy. */
export function isToldOver(
  exposure: LoadExposure,
  headers: IncomingHttpHeaders,
  address: string | undefined,
): boolean {
  return isToldTo(exposure, address) && (exposure === 'public' || !isProxied(headers));
}

/** @param address of the caller's end of the connection; undefined: a socket of this host */
export function isToldTo(exposure: LoadExposure, address: string | undefined): boolean {
  if (exposure !== 'private') return exposure === 'public';
  return address === undefined || isPrivate(address);
}

/** Remembered, since each check leaves native objects to the garbage collector: that was half of the cost of a report. */
const known = new Map<string, boolean>();
const MAX_KNOWN = 1_000;

function isPrivate(address: string): boolean {
  let answer = known.get(address);
  if (answer === undefined) {
    if (known.size >= MAX_KNOWN) known.clear();
    known.set(address, (answer = isOnPrivateNetwork(address)));
  }
  return answer;
}

function isOnPrivateNetwork(address: string): boolean {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
  const family = isIP(plain);
  return family !== 0 && PRIVATE.check(plain, family === 6 ? 'ipv6' : 'ipv4');
}
