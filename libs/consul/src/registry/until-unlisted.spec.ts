import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '@rookery/test-support';
import type { ConsulClient } from '../client/consul-client.js';
import { untilUnlisted } from './until-unlisted.js';

describe('untilUnlisted', () => {
  let clock: FakeClock;
  let stopping: AbortController;
  /** The ids that the catalog lists; an error: it cannot be read. */
  let listed: string[] | Error;
  let nodeName: string | Error;
  let asked: { readonly at: number; readonly service: string; readonly filter: string | undefined }[];
  let outcome: unknown;

  beforeEach(() => {
    clock = new FakeClock();
    stopping = new AbortController();
    listed = ['web-1'];
    nodeName = 'own';
    asked = [];
    outcome = undefined;
  });

  async function wait(node?: string): Promise<void> {
    const client = {
      agent: {
        self: async () => {
          if (nodeName instanceof Error) throw nodeName;
          return { body: { Config: { NodeName: nodeName } } };
        },
      },
      health: {
        service: async (service: string, { filter }: { filter?: string }) => {
          asked.push({ at: clock.now(), service, filter });
          if (listed instanceof Error) throw listed;
          return { body: listed.map((ID) => ({ Service: { ID } })) };
        },
      },
    };
    const instance = { id: 'web-1', service: 'web', node };
    untilUnlisted(client as unknown as ConsulClient, instance, clock, stopping.signal).then(
      (isUnlisted) => (outcome = isUnlisted),
      (error: unknown) => (outcome = error),
    );
    await settle();
  }

  it('asks for the instances of its node', async () => {
    listed = ['web-2'];
    await wait('host');
    expect(asked).toEqual([{ at: 0, service: 'web', filter: 'Node.Node == "host"' }]);
    expect(outcome).toBe(true);
  });

  it('asks the agent for its node where none is known', async () => {
    listed = [];
    await wait();
    expect(asked[0]?.filter).toBe('Node.Node == "own"');
  });

  it('believes the agent where neither can be read', async () => {
    nodeName = new Error('denied');
    await wait();
    expect([outcome, asked]).toEqual([true, []]);
    listed = new Error('denied');
    await wait('host');
    expect([outcome, asked.length]).toEqual([true, 1]);
  });

  it('asks again, less and less often, until it is gone', async () => {
    await wait('host');
    await clock.advance(100);
    expect(asked.map(({ at }) => at)).toEqual([0, 25, 75]);
    listed = [];
    await clock.advance(75);
    expect(asked.map(({ at }) => at)).toEqual([0, 25, 75, 175]);
    expect(outcome).toBe(true);
  });

  it('gives up after a second', async () => {
    await wait('host');
    await clock.advance(1_000);
    expect(asked.map(({ at }) => at)).toEqual([0, 25, 75, 175, 375, 775]);
    expect(outcome).toBe(false);
    expect(clock.pending).toBe(0);
  });

  it('ends with its signal', async () => {
    await wait('host');
    stopping.abort(new Error('over'));
    await settle();
    expect(outcome).toMatchObject({ message: 'over' });
    expect(clock.pending).toBe(0);
  });
});
