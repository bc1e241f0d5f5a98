import { ValueType, type Meter } from '@opentelemetry/api';
import type { Observable } from 'rxjs';
import type { DiscoveryEvent } from '../events/discovery-event.js';
import { createCounter, createHistogram } from './call-metrics.js';
import { METRICS, type MetricDefinition } from './metric-table.js';
import type { NameLimit } from './name-limit.js';

/**
 * Counts what happens, by the events that tell of it.
 *
 * @returns ends it
 */
export function countEvents(
  meter: Meter,
  services: NameLimit,
  events$: Observable<DiscoveryEvent>,
): () => void {
  const upDown = ({ name, unit, description }: MetricDefinition) =>
    meter.createUpDownCounter(name, { unit, description, valueType: ValueType.INT });
  const events = createCounter(meter, METRICS.events);
  const ejections = createCounter(meter, METRICS.ejections);
  const repairs = createCounter(meter, METRICS.repairs);
  const lockWait = createHistogram(meter, METRICS.lockWait);
  const locksHeld = upDown(METRICS.locksHeld);
  const locksLost = createCounter(meter, METRICS.locksLost);
  const configReloads = createCounter(meter, METRICS.configReloads);
  const configRejected = upDown(METRICS.configRejected);
  const rejectedKeys = new Set<string>();

  /** One that was acquired before there was a meter was not counted. */
  const held = new Map<string, number>();
  const release = (key: string): void => {
    const holds = held.get(key) ?? 0;
    if (holds > 0) locksHeld.add(-1);
    if (holds > 1) held.set(key, holds - 1);
    else held.delete(key);
  };

  const count = (event: DiscoveryEvent): void => {
    events.add(1, { 'rookery.event.type': event.type });
    switch (event.type) {
      case 'instance.ejected':
        ejections.add(1, { 'rookery.service': services.of(event.service) });
        break;
      case 'registration.restored':
        repairs.add(1, { 'rookery.service': services.of(event.service) });
        break;
      case 'lock.acquired':
        lockWait.record(event.waitedMs / 1_000);
        held.set(event.key, (held.get(event.key) ?? 0) + 1);
        locksHeld.add(1);
        break;
      case 'lock.released':
        release(event.key);
        break;
      case 'lock.lost':
        release(event.key);
        locksLost.add(1);
        break;
      case 'config.changed':
        configReloads.add(1, { 'rookery.config.result': 'applied' });
        break;
      case 'config.invalid':
        configReloads.add(1, { 'rookery.config.result': 'rejected' });
        if (!rejectedKeys.has(event.key)) configRejected.add(1);
        rejectedKeys.add(event.key);
        break;
      case 'config.valid':
        if (rejectedKeys.delete(event.key)) configRejected.add(-1);
        break;
      default:
    }
  };
  const subscription = events$.subscribe(count);
  return () => subscription.unsubscribe();
}
