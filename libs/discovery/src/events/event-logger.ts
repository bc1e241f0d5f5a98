import type { LoggerService } from '@nestjs/common';
import type { DiscoveryEvent } from './discovery-event.js';

/** Logs the events that an operator should see without subscribing to anything. */
export function logEvent(event: DiscoveryEvent, logger: LoggerService): void {
  switch (event.type) {
    case 'instance.invalid':
      logger.warn(`"${event.service}": the instance "${event.id}" is left out: ${event.reason}`);
      break;
    case 'list.suspect':
      logger.warn(
        `"${event.service}": suspicious update, keeping last known instances: ${event.missing.join(', ')} (${event.reason})`,
      );
      break;
    case 'list.confirmed':
      logger.warn(
        `"${event.service}": removed ${count(event.removed)} after ${event.afterMs} ms (${event.reason}): ${event.removed.join(', ')}`,
      );
      break;
    case 'list.rejected':
      logger.log(
        `"${event.service}": registry lists ${count(event.returned)} again: ${event.returned.join(', ')} (${event.reason})`,
      );
      break;
    case 'service.failover':
      logger.warn(`"${event.service}": failing over from ${event.from} to ${event.to}: ${event.reason}`);
      break;
    case 'service.unavailable':
      logger.warn(`"${event.service}": no usable instance is left`);
      break;
    case 'service.available':
      logger.log(`"${event.service}": usable again, instances: ${event.instances}`);
      break;
    case 'instance.ejected':
      logger.warn(
        `"${event.service}": ${event.id} at ${event.address} ejected for ${Math.round(event.durationMs / 1000)} s: ${event.reason}`,
      );
      break;
    case 'instance.unejected':
      logger.log(`"${event.service}": ${event.id} at ${event.address} unejected: ${event.reason}`);
      break;
    case 'instance.ghost':
      logger.warn(
        `"${event.service}": ${event.id} at ${event.address} is registered but refuses connections: ${event.reason}`,
      );
      break;
    case 'service.panic':
      logger.warn(
        `"${event.service}": panic mode: ${event.available} of ${event.instances} instances available, ejected instances are used too`,
      );
      break;
    case 'service.panicEnded':
      logger.log(
        `"${event.service}": panic mode ended: ${event.available} of ${event.instances} instances available`,
      );
      break;
    case 'strategy.failed':
      logger.error(
        `"${event.service}": strategy ${event.strategy} threw, picking without it: ${event.reason}`,
      );
      break;
    case 'circuit.opened':
      logger.warn(
        `"${event.service}": circuit open for ${Math.round(event.durationMs / 1000)} s: ${event.reason}`,
      );
      break;
    case 'circuit.closed':
      logger.log(`"${event.service}": circuit closed`);
      break;
    case 'snapshot.restored':
      logger.warn(
        `"${event.service}": registry unreachable, using ${event.instances} instances from ${Math.round(event.ageMs / 1000)} s ago`,
      );
      break;
    default:
  }
}

function count(instances: readonly string[]): string {
  return instances.length === 1 ? '1 instance' : `${instances.length} instances`;
}
