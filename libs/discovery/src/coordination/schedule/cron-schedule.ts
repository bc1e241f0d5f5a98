import type { DiscoveryService as ProviderScanner } from '@nestjs/core';
import type { NextTick } from './nominal-tick.js';

/** What `@Cron` of `@nestjs/schedule` keeps with the method; its versions 4 to 12. */
const CRON_OPTIONS = 'SCHEDULE_CRON_OPTIONS';

export interface CronOptions {
  readonly cronTime?: unknown;
  readonly name?: string;
  readonly timeZone?: string;
  readonly utcOffset?: number;
}

/** The part of `CronTime` of the package `cron`, version 3 and 4, that is used. */
interface CronTime {
  readonly source: unknown;
  readonly realDate?: boolean;
  readonly timeZone?: string;
  readonly utcOffset?: number;
  getNextDateFrom(start: Date, timeZone?: string): { toMillis(): number };
}

interface CronRegistry {
  getCronJobs(): Map<string, { readonly cronTime: CronTime }>;
}

/** Undefined: the method has no `@Cron`. */
export function cronOptionsOf(method: object): CronOptions | undefined {
  return Reflect.getMetadata(CRON_OPTIONS, method) as CronOptions | undefined;
}

/**
 * The schedule of a `@Cron` method, from any job that has the same one. `@nestjs/schedule` is found among the providers of the app, so that
 * this package does not need it.
 */
export function scheduleOf(options: CronOptions, providers: ProviderScanner): NextTick | undefined {
  const registry = providers
    .getProviders()
    .map(({ instance }) => instance as unknown)
    .find(isCronRegistry);
  const jobs = registry ? [...registry.getCronJobs().values()] : [];
  const time = jobs.map(({ cronTime }) => cronTime).find((each) => isSame(each, options));
  if (!time || time.realDate === true) return undefined;
  const zone = options.timeZone ?? offsetZone(options.utcOffset);
  return (after) => {
    try {
      return time.getNextDateFrom(new Date(after), zone).toMillis();
    } catch {
      // A schedule that has no further tick.
      return undefined;
    }
  };
}

/** Without a zone of its own a job has that of the host. */
function isSame({ source, timeZone, utcOffset }: CronTime, options: CronOptions): boolean {
  if (source !== options.cronTime) return false;
  if (options.utcOffset !== undefined) return utcOffset === options.utcOffset;
  const local = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return (timeZone ?? local) === (options.timeZone ?? local);
}

function isCronRegistry(instance: unknown): instance is CronRegistry {
  return (
    typeof instance === 'object' &&
    instance !== null &&
    (instance.constructor as { name?: string } | undefined)?.name === 'SchedulerRegistry' &&
    typeof (instance as Partial<CronRegistry>).getCronJobs === 'function'
  );
}

function offsetZone(minutes: number | undefined): string | undefined {
  if (minutes === undefined) return undefined;
  const size = Math.abs(minutes);
  return `UTC${minutes < 0 ? '-' : '+'}${Math.floor(size / 60)}:${String(size % 60).padStart(2, '0')}`;
}
