import { describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '@rookery/test-support';
import type { ServiceView } from '../catalog/service-view.js';
import type { ServiceQuery } from '../registry/service-query.js';
import { noInstancesError } from './no-instances-error.js';

describe('noInstancesError', () => {
  const clock = new FakeClock();
  let readAgains = 0;
  let diagnosis: () => Promise<string | undefined> = async () => undefined;
  let asked = 0;
  const hintOf = async (
    statuses: readonly string[] | undefined,
    query?: ServiceQuery,
    withinMs = 100,
    signal?: AbortSignal,
  ): Promise<string | undefined> => {
    const view = {
      snapshot: statuses && { instances: statuses.map((status) => ({ status })) },
      readAgain: () => readAgains++,
      diagnose: () => {
        asked++;
        return diagnosis();
      },
    } as unknown as ServiceView;
    const error = await noInstancesError(view, 'inventory', query, { clock, withinMs, signal });
    expect(error).toMatchObject({ code: 'RK_NO_INSTANCES' });
    expect(error.message).toContain('no usable instance of "inventory"');
    return error.hint;
  };

  it('says what the registry lists, and has it read again', async () => {
    readAgains = 0;
    expect(await hintOf(['critical', 'maintenance', 'critical'])).toBe(
      'The registry lists 2 critical, 1 maintenance',
    );
    expect(await hintOf([])).toBe('The registry lists none: is it running and registered?');
    expect(await hintOf(undefined)).toBe('The registry lists none: is it running and registered?');
    expect(readAgains).toBe(3);
  });

  it('adds what the registry knows, if it says so in time', async () => {
    diagnosis = async () => 'Its check fails: HTTP 404';
    expect(await hintOf(['critical'])).toBe('The registry lists 1 critical. Its check fails: HTTP 404');
    expect(await hintOf([])).toBe('Its check fails: HTTP 404');
    asked = 0;
    expect(await hintOf(['critical'], {}, 0)).toBe('The registry lists 1 critical');
    expect(asked).toBe(0);
    diagnosis = () => new Promise(() => undefined);
    const late = hintOf(['critical']);
    await settle();
    expect(clock.next).toBe(100);
    await clock.advance(100);
    expect(await late).toBe('The registry lists 1 critical');
    diagnosis = async () => Promise.reject(new Error('away'));
    expect(await hintOf(['critical'])).toBe('The registry lists 1 critical');
  });

  it('does not wait for it when its caller goes away', async () => {
    diagnosis = () => new Promise(() => undefined);
    const aborting = new AbortController();
    const hint = hintOf(['critical'], {}, 100, aborting.signal);
    await settle();
    aborting.abort(new Error('gone'));
    expect(await hint).toBe('The registry lists 1 critical');
    expect(clock.pending).toBe(0);
  });

  it('names the query where that is what leaves none', async () => {
    diagnosis = async () => 'x';
    const hint = "No instance matches; discovery.explain('inventory', query) shows why";
    expect(await hintOf([], { tags: ['a'] })).toBe(hint);
    expect(await hintOf(['critical'], { tags: ['a'] })).toBe('The registry lists 1 critical. x');
    expect(await hintOf([], { datacenter: 'dc2' })).toBe('x');
  });
});
