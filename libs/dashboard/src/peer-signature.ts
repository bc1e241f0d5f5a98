import { createHmac, timingSafeEqual } from 'node:crypto';

export const PEER_HEADER = 'rookery-dashboard';
const FRESH_MS = 60_000;

/**
 * What an app proves with that it knows the secret, to one host and for a minute: the secret itself is sent to no one, since anything may be
 * registered in a registry.
 */
export function signFor(host: string, secret: string, now: number): string {
  return `${now}.${signature(host, secret, now)}`;
}

export function isSigned(given: unknown, host: string, secret: string, now: number): boolean {
  const [, time = '', hash = ''] =
    /^(\d{1,16})\.([\da-f]{64})$/.exec(typeof given === 'string' ? given : '') ?? [];
  if (time === '' || Math.abs(now - Number(time)) > FRESH_MS) return false;
  return timingSafeEqual(Buffer.from(hash, 'hex'), Buffer.from(signature(host, secret, Number(time)), 'hex'));
}

function signature(host: string, secret: string, now: number): string {
  return createHmac('sha256', secret)
    .update(`rookery-dashboard\n${now}\n${host.toLowerCase()}`)
    .digest('hex');
}
