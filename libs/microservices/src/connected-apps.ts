import type { DiscoveryService } from '@rookery/discovery';

/** Shared by the copies of this package in an app that loads both. */
const APPS = Symbol.for('rookery:microservices-apps');

/** The apps of this process that have imported a module, the latest one last: Nest's own clients cannot say which one they belong to. */
function apps(): DiscoveryService[] {
  const shared = globalThis as { [APPS]?: DiscoveryService[] };
  return (shared[APPS] ??= []);
}

export function connectApp(discovery: DiscoveryService): void {
  apps().push(discovery);
}

export function disconnectApp(discovery: DiscoveryService): void {
  const all = apps();
  const at = all.indexOf(discovery);
  if (at >= 0) all.splice(at, 1);
}

export function latestApp(): DiscoveryService | undefined {
  return apps().at(-1);
}
