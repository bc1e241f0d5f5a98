import { Metadata } from '@grpc/grpc-js';
import { describe, expect, it } from '@jest/globals';
import { DiscoveryError } from '@rookery/discovery';
import type { TargetPicks } from '@rookery/discovery/adapter';
import { experimentalApi, installed } from './experimental-api.js';
import { ServicePicker } from './service-picker.js';

describe('ServicePicker', () => {
  const pickerOf = (pick: () => undefined, note = ''): ServicePicker =>
    new ServicePicker({
      ...{ grpc: installed, experimental: experimentalApi(installed), note },
      picks: { service: 'library', pick } as unknown as TargetPicks,
      connectionTo: () => undefined,
      onClosed: () => undefined,
    });
  const detailsOf = (...of: Parameters<typeof pickerOf>): string | undefined =>
    pickerOf(...of).pick({ metadata: new Metadata(), extraPickInfo: {} }).status?.details;

  it('says why there is no instance, and that there is none before it is known why', () => {
    expect(detailsOf(() => undefined, 'RK_NO_INSTANCES: all are critical')).toBe(
      'RK_NO_INSTANCES: all are critical',
    );
    expect(detailsOf(() => undefined)).toBe('RK_NO_INSTANCES: no usable instance of "library"');
  });

  it('fails the call where nothing can be picked any more', () => {
    const closed = (): undefined => {
      throw new DiscoveryError('RK_SHUT_DOWN', 'the app has been closed');
    };
    expect(detailsOf(closed)).toBe('RK_SHUT_DOWN: the app has been closed');
    // It runs in a turn of its own, where an error would end the process.
    expect(() => pickerOf(closed).connect()).not.toThrow();
  });
});
