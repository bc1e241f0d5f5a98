import type { HealthIndicatorResult } from '@nestjs/terminus';
import type { Contributor } from '@rookery/discovery/adapter';
import type { LiveConfig } from './live/live-config.js';

const NAME = 'configuration';

/** `degraded` while an edit cannot be used, or while the values come from disk; the app works with what was good last. */
export function configHealth(configs: readonly LiveConfig[]): Contributor {
  return {
    name: NAME,
    groups: ['readiness'],
    timeout: undefined,
    run: () => {
      const problems = configs.flatMap((config) =>
        config.problems.map(({ key, reason }) => `${key}: ${reason}`),
      );
      if (configs.some(({ state }) => state === 'disk'))
        problems.unshift('Consul has not responded yet: the values are from disk');
      const version = configs.map((config) => config.version).join(', ');
      const result =
        problems.length === 0
          ? { status: 'up', version }
          : { status: 'degraded', message: problems.join('; '), version };
      return { [NAME]: result } as HealthIndicatorResult;
    },
  };
}
