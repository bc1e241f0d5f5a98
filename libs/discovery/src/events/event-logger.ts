import type { LoggerService } from '@nestjs/common';
import type { DiscoveryEvent } from './discovery-event.js';

/** A line of the log for what an operator has to know of without subscribing to anything. */
export function tellOperator(event: DiscoveryEvent, logger: LoggerService): void {
  switch (event.type) {
    case 'list.suspect':
      logger.warn(
        `"${event.service}": ${event.reason}; not believed yet, these stay in use: ${event.missing.join(', ')}`,
      );
      break;
    case 'list.believed':
      logger.warn(
        `"${event.service}": gone indeed after ${event.after} ms, ${event.reason}: ${event.dropped.join(', ')}`,
      );
      break;
    case 'list.dismissed':
      logger.log(`"${event.service}": there after all, ${event.reason}: ${event.returned.join(', ')}`);
      break;
    case 'service.failover':
      logger.warn(`"${event.service}": calls go to ${event.to} instead of ${event.from}: ${event.reason}`);
      break;
    case 'service.unavailable':
      logger.warn(`"${event.service}": no usable instance is left`);
      break;
    case 'service.available':
      logger.log(`"${event.service}": usable instances again: ${event.instances}`);
      break;
    case 'instance.ejected':
      logger.warn(
        `"${event.service}": ${event.id} at ${event.address} gets no calls for ${Math.round(event.for / 1000)} s: ${event.reason}`,
      );
      break;
    case 'instance.returned':
      logger.log(`"${event.service}": ${event.id} at ${event.address} gets calls again: ${event.reason}`);
      break;
    case 'instance.ghost':
      logger.warn(`"${event.service}": ${event.id} at ${event.address} is a ghost: ${event.reason}`);
      break;
    case 'service.panic':
      logger.warn(
        `"${event.service}": only ${event.available} of ${event.instances} instances are left, so that the ejected ones are called as well`,
      );
      break;
    case 'service.calm':
      logger.log(`"${event.service}": ${event.available} of ${event.instances} instances are usable again`);
      break;
    case 'strategy.failed':
      logger.error(`"${event.service}": the strategy ${event.strategy} threw: ${event.reason}`);
      break;
    case 'circuit.opened':
      logger.warn(
        `"${event.service}": calls are refused for ${Math.round(event.for / 1000)} s: ${event.reason}`,
      );
      break;
    case 'circuit.closed':
      logger.log(`"${event.service}": calls are made again`);
      break;
    case 'snapshot.restored':
      logger.warn(
        `"${event.service}": ${event.instances} instances as they were ${Math.round(event.age / 1000)} s ago, since the registry does not answer`,
      );
      break;
    default:
  }
}
