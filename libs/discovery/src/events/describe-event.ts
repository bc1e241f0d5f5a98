import type { DiscoveryEvent } from './discovery-event.js';

/** A line of the log. */
export interface EventLine {
  readonly level: 'log' | 'warn' | 'error' | 'debug';
  readonly message: string;
}

/**
 * What an operator reads of an event; undefined where another one, or the place where it happens, says it. Lines about configuration are
 * written where it is read: that is before there is an app.
 */
export function describeEvent(event: DiscoveryEvent): EventLine | undefined {
  return describeRegistration(event) ?? describeService(event) ?? describeCoordination(event);
}

function describeRegistration(event: DiscoveryEvent): EventLine | undefined {
  switch (event.type) {
    case 'registration.registered':
      return log(`"${event.id}" is registered with ${event.registry}`);
    case 'registration.notReady':
      return warn(`not registered yet, the app is not ready: ${event.reason}`);
    case 'registration.failed':
      return warn(
        `cannot keep "${event.id}" registered, ${event.isRetryable ? 'retrying in the background' : 'this needs manual action; still retrying'}: ${event.reason}`,
      );
    case 'registration.lost':
      return event.isContested
        ? undefined
        : warn(`"${event.id}" in ${event.registry}: ${event.reason}; registering again`);
    case 'registration.restored':
      return event.isContested
        ? undefined
        : log(
            `"${event.id}" is registered again with ${event.registry}, after ${Math.round(event.afterMs)} ms`,
          );
    case 'registration.refreshed':
      return log(`"${event.id}" is registered again with ${event.registry}: the token has changed`);
    case 'registration.contested':
      return error(
        `another writer keeps changing "${event.id}" in ${event.registry}: ${event.repairs} repairs in the last minute. Repairs are limited to ` +
          '6 a minute and no longer logged. Look for a second app with this id, a script, or another registrator',
      );
    case 'registration.conflict':
      return error(
        `"${event.id}" is not registered: ${event.reason}. ` +
          'Give each instance an id of its own: leave out service.id, or include the host and the port in it',
      );
    case 'registration.deregistered':
      return log(`"${event.id}" is deregistered from ${event.registry}`);
    case 'registration.deregistrationFailed':
      return warn(
        `"${event.id}" could not be deregistered from ${event.registry}: ${event.reason}. ` +
          (event.wasRegistered
            ? 'It stays listed until its check fails'
            : 'It had never been registered there'),
      );
    case 'health.changed': {
      const reason = event.reason === undefined ? '' : `: ${event.reason}`;
      const level = event.to === 'up' ? 'log' : event.to === 'down' ? 'error' : 'warn';
      return {
        level,
        message: `health: "${event.name}" is ${event.to}${event.to === 'up' ? ' again' : reason}`,
      };
    }
    case 'maintenance.started':
      return log(`${named(event.service)}in maintenance: ${event.reason}`);
    case 'maintenance.ended':
      return log(`${named(event.service)}maintenance ended`);
    case 'heartbeat.stalled':
      return warn(
        `event loop blocked for ${(event.lagMs / 1000).toFixed(1)} s, and with it the heartbeat of "${event.id}"`,
      );
    case 'heartbeat.failed':
      return warn(`"${event.id}" in ${event.registry}: ${event.reason}; its TTL check will expire`);
    case 'heartbeat.recovered':
      return log(`the heartbeat of "${event.id}" reaches ${event.registry} again`);
    case 'registry.switched':
      return event.reason === undefined
        ? log(`lookups go to ${event.to} again`)
        : warn(`lookups go to ${event.to}, and not to ${event.from}: ${event.reason}`);
    case 'check.failed':
      return warn(
        `"${event.id}" finds itself healthy, but ${event.registry} lists it as critical, so that it gets no calls: ` +
          `${event.reason === '' ? 'its check fails, without any output' : `its check fails: ${event.reason}`}. Likely cause: ${event.cause}`,
      );
    case 'check.recovered':
      return log(`"${event.id}" is no longer listed as critical by ${event.registry}`);
    default:
      return undefined;
  }
}

function describeService(event: DiscoveryEvent): EventLine | undefined {
  switch (event.type) {
    case 'instance.added':
      return debug(`"${event.service}": ${event.id} at ${event.address} added`);
    case 'instance.removed':
      return debug(`"${event.service}": ${event.id} at ${event.address} removed`);
    case 'instance.status':
      return debug(`"${event.service}": ${event.id} is ${event.to}, it was ${event.from}`);
    case 'instance.invalid':
      return warn(`"${event.service}": the instance "${event.id}" is left out: ${event.reason}`);
    case 'instance.unreachable':
      return warn(`"${event.service}": ${event.id} gets no calls: ${event.reason}`);
    case 'instance.reachable':
      return log(`"${event.service}": ${event.id} gets calls again: ${event.reason}`);
    case 'list.suspect':
      return warn(
        `"${event.service}": suspicious update, keeping last known instances: ${event.missing.join(', ')} (${event.reason})`,
      );
    case 'list.confirmed':
      return warn(
        `"${event.service}": removed ${count(event.removed)} after ${event.afterMs} ms (${event.reason}): ${event.removed.join(', ')}`,
      );
    case 'list.rejected':
      return log(
        `"${event.service}": registry lists ${count(event.returned)} again: ${event.returned.join(', ')} (${event.reason})`,
      );
    case 'service.failover':
      return warn(`"${event.service}": failing over from ${event.from} to ${event.to}: ${event.reason}`);
    case 'service.unavailable':
      return warn(`"${event.service}": no usable instance is left`);
    case 'service.available':
      return log(`"${event.service}": usable again, instances: ${event.instances}`);
    case 'instance.ejected':
      return warn(
        `"${event.service}": ${event.id} at ${event.address} ejected for ${seconds(event.durationMs)}: ${event.reason}`,
      );
    case 'instance.unejected':
      return log(`"${event.service}": ${event.id} at ${event.address} unejected: ${event.reason}`);
    case 'instance.ghost':
      return warn(
        `"${event.service}": ${event.id} at ${event.address} is registered but refuses connections: ${event.reason}`,
      );
    case 'service.panic':
      return warn(
        `"${event.service}": panic mode: ${event.available} of ${event.instances} instances available, ejected instances are used too`,
      );
    case 'service.panicEnded':
      return log(
        `"${event.service}": panic mode ended: ${event.available} of ${event.instances} instances available`,
      );
    case 'strategy.failed':
      return error(
        `"${event.service}": strategy ${event.strategy} threw, picking without it: ${event.reason}`,
      );
    case 'failureRule.failed':
      return error(`"${event.service}": isFailure threw, judging by the default rule: ${event.reason}`);
    case 'circuit.opened':
      return warn(`"${event.service}": circuit open for ${seconds(event.durationMs)}: ${event.reason}`);
    case 'circuit.closed':
      return log(`"${event.service}": circuit closed`);
    case 'retryBudget.exhausted':
      return warn(`"${event.service}": the retry budget is empty, failed calls are not retried`);
    case 'retryBudget.available':
      return log(`"${event.service}": failed calls are retried again`);
    case 'bulkhead.full':
      return warn(
        `"${event.service}": ${event.limit} calls are in flight and the queue is full, further ones are rejected`,
      );
    case 'bulkhead.available':
      return log(`"${event.service}": calls are no longer rejected by the bulkhead`);
    case 'shedding.started':
      return warn(
        `more requests than this app can answer: of further ones than ${event.limit} at a time, some are refused with 503`,
      );
    case 'shedding.ended':
      return log(`requests are no longer refused; ${event.refused} were`);
    case 'snapshot.restored':
      return warn(
        `"${event.service}": registry unreachable, using ${event.instances} instances from ${seconds(event.ageMs)} ago`,
      );
    default:
      return undefined;
  }
}

function describeCoordination(event: DiscoveryEvent): EventLine | undefined {
  switch (event.type) {
    case 'lock.lost':
      return warn(`${event.key}: lost after ${event.heldMs} ms: ${event.reason}`);
    case 'lock.overdue':
      return warn(
        `${event.key}: held for ${event.heldMs} ms, longer than its warnAfter; ${event.waiters} wait for it in this process`,
      );
    case 'lock.doubtful':
      return warn(`${event.key}: cannot renew its session, lost in ${event.remainingMs} ms: ${event.reason}`);
    case 'leader.elected':
      return log(`${event.key}: this process leads, with fence ${event.fence}`);
    case 'leader.resigned':
      return log(`${event.key}: this process has resigned`);
    case 'leader.lost':
      return warn(`${event.key}: this process leads no more`);
    case 'alert.firing':
      return {
        level: event.severity === 'critical' ? 'error' : 'warn',
        message: `${event.name}: ${event.summary}`,
      };
    case 'alert.resolved':
      return log(`${event.name}: resolved: ${event.summary}`);
    case 'alert.dropped':
      return error(`${event.count} alerts could not be sent to ${event.sink}, and are dropped`);
    case 'schedule.missed':
      return warn(
        `${event.job}: ${event.ticks} ${event.ticks === 1 ? 'tick was' : 'ticks were'} missed: ${event.reason}`,
      );
    default:
      return undefined;
  }
}

function log(message: string): EventLine {
  return { level: 'log', message };
}

function warn(message: string): EventLine {
  return { level: 'warn', message };
}

function error(message: string): EventLine {
  return { level: 'error', message };
}

function debug(message: string): EventLine {
  return { level: 'debug', message };
}

function seconds(milliseconds: number): string {
  return `${Math.round(milliseconds / 1000)} s`;
}

function named(service: string | undefined): string {
  return service === undefined ? '' : `"${service}" `;
}

function count(instances: readonly string[]): string {
  return instances.length === 1 ? '1 instance' : `${instances.length} instances`;
}
