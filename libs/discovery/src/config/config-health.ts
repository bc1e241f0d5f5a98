import type { HealthIndicatorResult } from '@nestjs/terminus';
import type { Contributor } from '../health/health-contributors.js';
import type { LoadedConfig } from './live/loaded-config.js';

const NAME = 'configuration';

/** `degraded` while an edit cannot be used, or while the values come from disk; the app works with what was good last. */
export function configHealth(configs: readonly LoadedConfig[]): Contributor {
  return {
    name: NAME,
    groups: ['readiness'],
    timeout: undefined,
    run: () => {
      const problems = configs.flatMap((config) =>
        config.problems.map(({ key, reason }) => `${key}: ${reason}`),
      );
      const fromDisk = configs.find(({ state }) => state === 'disk');
      if (fromDisk)
        problems.unshift(`${fromDisk.names.registry} has not responded yet: the values are from disk`);
      const version = configs.map((config) => config.version).join(', ');
      const result =
        problems.length === 0
          ? { status: 'up', version }
          : { status: 'degraded', message: problems.join('; '), version };
      return { [NAME]: result } as HealthIndicatorResult;
    },
  };
}
