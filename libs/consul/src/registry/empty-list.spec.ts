import { beforeEach, describe, expect, it } from '@jest/globals';
import type { AclRight } from '../acl/acl-right.js';
import type { ConsulClient } from '../client/consul-client.js';
import {
  assertMayReadNames,
  assertReadable,
  deniedListError,
  EmptyListCheck,
  lackingRights,
} from './empty-list.js';

describe('what a token may not read of an empty list', () => {
  const { signal } = new AbortController();
  let allowed: readonly boolean[] | Error;
  let names: Record<string, string[]> | Error;
  let readable: readonly unknown[];
  let asked: unknown[];
  let tokenVersion: number | undefined;

  beforeEach(() => {
    allowed = [true, true];
    names = { inventory: [] };
    readable = [];
    asked = [];
    tokenVersion = undefined;
  });

  const client = {
    get tokenVersion() {
      return tokenVersion;
    },
    acl: {
      allows: async (rights: readonly AclRight[], { datacenter }: { datacenter?: string }) => {
        asked.push(['rights', rights.map(({ resource, name }) => `${resource} ${name}`).join(), datacenter]);
        if (allowed instanceof Error) throw allowed;
        return allowed;
      },
    },
    catalog: {
      services: async ({ datacenter }: { datacenter?: string }) => {
        asked.push(['names', datacenter]);
        if (names instanceof Error) throw names;
        return { body: names };
      },
    },
    health: {
      service: async (service: string, { datacenter }: { datacenter?: string }) => {
        asked.push(['list', service, datacenter]);
        return { body: readable };
      },
    },
  } as unknown as ConsulClient;
  const lacking = async (): Promise<unknown> => {
    const found = await lackingRights(client, 'inventory', { signal, datacenter: 'dc2' });
    return found?.map(({ resource }) => resource);
  };

  it('is nothing where it may read both, the service and the nodes', async () => {
    expect(await lacking()).toEqual([]);
    expect(asked).toEqual([['rights', expect.stringMatching(/^service inventory,node/), 'dc2']]);
  });

  it.each([
    [[false, true], ['service']],
    [
      [false, false],
      ['service', 'node'],
    ],
    [[true, false], ['node']],
  ])('of %j is %j', async (given, expected) => {
    allowed = given;
    expect(await lacking()).toEqual(expected);
  });

  it('is nothing where there is no such service, or an instance that it may read', async () => {
    allowed = [true, false];
    names = { other: [] };
    expect(await lacking()).toEqual([]);
    names = { inventory: [] };
    readable = [{}];
    expect(await lacking()).toEqual([]);
    expect(asked.slice(-2)).toEqual([
      ['names', 'dc2'],
      ['list', 'inventory', 'dc2'],
    ]);
  });

  it('is unknown where Consul does not say', async () => {
    allowed = new Error('away');
    expect(await lacking()).toBeUndefined();
    await assertReadable(client, 'inventory', { signal });
    const aborted = AbortSignal.abort(new Error('gone'));
    await expect(lackingRights(client, 'inventory', { signal: aborted })).rejects.toThrow('gone');
  });

  it('is said with the rules that are missing', async () => {
    allowed = [false, false];
    await expect(assertReadable(client, 'inventory', { signal })).rejects.toMatchObject({
      code: 'RK_ACL_DENIED',
      message: expect.stringContaining('the token may not read the instances of "inventory"'),
      hint: expect.stringMatching(/^Add service.*"inventory".* and node.* to its policy$/),
    });
    expect(deniedListError('inventory', []).code).toBe('RK_ACL_DENIED');
    allowed = [true, true];
    await assertReadable(client, 'inventory', { signal });
  });

  it('is asked once of a list that stays empty, and again with another token or after instances', async () => {
    const check = new EmptyListCheck(client, 'inventory', 'dc2');
    const verify = async (...instances: unknown[]): Promise<number> => {
      asked = [];
      await check.verify({ instances } as never, signal);
      return asked.length;
    };
    expect([await verify(), await verify()]).toEqual([1, 0]);
    expect([await verify({}), await verify(), await verify()]).toEqual([0, 1, 0]);
    tokenVersion = 2;
    expect([await verify(), await verify()]).toEqual([1, 0]);
    expect(asked).toEqual([]);
    tokenVersion = 3;
    allowed = [false, true];
    await expect(verify()).rejects.toMatchObject({ code: 'RK_ACL_DENIED' });
    await expect(verify()).rejects.toMatchObject({ code: 'RK_ACL_DENIED' });
  });

  it('are all names, where it may read none', async () => {
    await assertMayReadNames(client, signal);
    expect(asked).toEqual([['rights', 'service ', undefined]]);
    allowed = [false];
    await expect(assertMayReadNames(client, signal)).rejects.toMatchObject({
      code: 'RK_ACL_DENIED',
      hint: expect.stringMatching(/^Add service_prefix "" .*to its policy$/),
    });
    allowed = new Error('away');
    await assertMayReadNames(client, signal);
    await expect(assertMayReadNames(client, AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone');
  });
});
