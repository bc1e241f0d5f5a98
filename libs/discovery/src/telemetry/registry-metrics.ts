import type { Meter } from '@opentelemetry/api';
import type { RegistryRequest } from '../registry/registry-request.js';
import { createHistogram } from './call-metrics.js';
import { errorType } from './error-type.js';
import { METRICS } from './metric-table.js';

/** Records each request to the registry. */
export function registryRecorder(meter: Meter): (request: RegistryRequest) => void {
  const durations = createHistogram(meter, METRICS.registryRequests);
  return ({ operation, isBlocking, durationMs, status, error }) =>
    durations.record(durationMs / 1_000, {
      'rookery.registry.operation': operation,
      'rookery.registry.blocking': isBlocking,
      ...(status === undefined ? {} : { 'http.response.status_code': status }),
      ...(error === undefined ? {} : { 'error.type': errorType(error) }),
    });
}
