import type { DiscoveryEvent, DiscoveryEventType, TimedDiscoveryEvent } from './discovery-event.js';

type Family<T extends string> = T extends `${infer F}.${string}` ? F : never;

/** A type of event, such as `'instance.ejected'`, all of a family, such as `'instance.*'`, or all there are, `'*'`. */
export type EventPattern = DiscoveryEventType | `${Family<DiscoveryEventType>}.*` | '*';

/** The events that match a pattern. */
export type EventOf<P extends EventPattern> = TimedDiscoveryEvent<
  P extends '*'
    ? DiscoveryEvent
    : P extends `${infer F}.*`
      ? Extract<DiscoveryEvent, { readonly type: `${F}.${string}` }>
      : Extract<DiscoveryEvent, { readonly type: P }>
>;

export function matchesPattern(type: string, pattern: string): boolean {
  if (pattern === '*') return true;
  return pattern.endsWith('.*') ? type.startsWith(pattern.slice(0, -1)) : type === pattern;
}
