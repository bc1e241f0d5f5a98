import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '@rookery/test-support';
import { CallReceiver } from './call-receiver.js';
import { LoadReporter } from './load/load-reporter.js';
import type { LoadExposure } from './load/load-exposure.js';

describe('CallReceiver', () => {
  const receiving = (loadReports: LoadExposure | undefined) => {
    const clock = new FakeClock();
    const load = new LoadReporter({ clock });
    return {
      load,
      receiver: new CallReceiver({ names: [], isAdvertised: () => false, clock, load, loadReports }),
    };
  };

  it.each(['private', 'public'] as const)('counts a call until it ends, and once: %s', (loadReports) => {
    const { receiver, load } = receiving(loadReports);
    const end = receiver.begin();
    expect(load.report().named).toMatchObject({ in_flight: 1 });
    end?.(false);
    end?.(false);
    expect(load.report().named).toMatchObject({ in_flight: 0 });
    load.close();
  });

  it.each(['none', undefined] as const)('counts nothing where no caller is told: %s', (loadReports) => {
    const { receiver, load } = receiving(loadReports);
    expect(receiver.begin()).toBeUndefined();
    expect(load.report().named).toMatchObject({ in_flight: 0 });
    load.close();
  });
});
