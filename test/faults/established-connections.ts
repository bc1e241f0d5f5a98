import { readFileSync } from 'node:fs';

/** Established connections to a port of this host, from anywhere. */
export function connectionsTo(port: number): number {
  const remote = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .filter((line) => line.trim().split(/\s+/)[2]?.endsWith(remote) && line.trim().split(/\s+/)[3] === '01')
    .length;
}
