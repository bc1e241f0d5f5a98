import { ValueType, type BatchObservableResult, type Meter, type Observable } from '@opentelemetry/api';
import type { ServiceCaller } from '../calling/service-caller.js';
import type { ServiceCatalog } from '../catalog/service-catalog.js';
import type { RegistrationService } from '../registration/registration.service.js';
import { METRICS } from './metric-table.js';
import { OTHER, type NameLimit } from './name-limit.js';

export interface ObservedState {
  readonly catalog: ServiceCatalog;
  readonly caller: ServiceCaller;
  readonly registration: RegistrationService;
}

const GAUGES = [
  'callsActive',
  'retryBudget',
  'circuitOpen',
  'bulkheadLimit',
  'bulkheadActive',
  'bulkheadQueued',
  'instances',
  'instancesUsable',
  'instancesEjected',
  'snapshotAge',
  'registered',
] as const;
const COUNTERS = ['watchUpdates', 'watchSpurious', 'watchReconnects'] as const;
type Name = (typeof GAUGES)[number] | (typeof COUNTERS)[number];

/**
 * Registers the metrics of what is, rather than of what happens: they are read when they are collected, and cost nothing between.
 *
 * @returns removes them
 */
export function observeState(meter: Meter, services: NameLimit, state: ObservedState): () => void {
  const instruments = {} as Record<Name, Observable>;
  for (const name of GAUGES) {
    const { name: metric, unit, description } = METRICS[name];
    instruments[name] = meter.createObservableGauge(metric, {
      unit,
      description,
      valueType: ValueType.DOUBLE,
    });
  }
  for (const name of COUNTERS) {
    const { name: metric, unit, description } = METRICS[name];
    instruments[name] = meter.createObservableCounter(metric, {
      unit,
      description,
      valueType: ValueType.INT,
    });
  }
  const observe = (result: BatchObservableResult): void => {
    const sums = new Sums();
    collect(state, services, sums);
    for (const { name, value, attributes } of sums.all) result.observe(instruments[name], value, attributes);
  };
  const all = Object.values(instruments);
  meter.addBatchObservableCallback(observe, all);
  return () => meter.removeBatchObservableCallback(observe, all);
}

/** Services beyond the limit have one name, so that their values are added. */
class Sums {
  readonly #sums = new Map<string, { name: Name; value: number; attributes: Record<string, string> }>();

  add(name: Name, value: number, service: string, more: Record<string, string> = {}): void {
    const key = `${name} ${service} ${Object.values(more).join(' ')}`;
    const known = this.#sums.get(key);
    if (!known) this.#sums.set(key, { name, value, attributes: { 'rookery.service': service, ...more } });
    // The age of several lists is that of the oldest.
    else if (name === 'snapshotAge') known.value = Math.max(known.value, value);
    else known.value += value;
  }

  get all(): Iterable<{ name: Name; value: number; attributes: Record<string, string> }> {
    return this.#sums.values();
  }
}

function collect({ catalog, caller, registration }: ObservedState, services: NameLimit, sums: Sums): void {
  for (const state of catalog.states) {
    const service = services.of(state.service);
    for (const [status, count] of Object.entries(state.byStatus))
      sums.add('instances', count, service, { 'rookery.instance.status': status });
    sums.add('instancesUsable', state.usable, service);
    if (state.ageMs !== undefined) sums.add('snapshotAge', state.ageMs / 1_000, service);
    sums.add('watchUpdates', state.updates, service);
    sums.add('watchSpurious', state.spurious, service);
    sums.add('watchReconnects', state.reconnects, service);
  }
  for (const { name, load, retryBudget, limits } of caller.services) {
    const service = services.of(name);
    sums.add('callsActive', load.inFlight, service);
    sums.add('instancesEjected', load.ejected, service);
    sums.add('retryBudget', retryBudget.available, service);
    // What is beyond the limit has no one state.
    if (service === OTHER || !limits) continue;
    const { circuit, bulkhead } = limits;
    if (circuit) sums.add('circuitOpen', circuit === 'open' ? 1 : 0, service);
    if (!bulkhead) continue;
    sums.add('bulkheadLimit', bulkhead.limit, service);
    sums.add('bulkheadActive', bulkhead.inFlight, service);
    sums.add('bulkheadQueued', bulkhead.queued, service);
  }
  for (const { service, state } of registration.status.instances)
    if (service !== undefined) sums.add('registered', state === 'registered' ? 1 : 0, services.of(service));
}
