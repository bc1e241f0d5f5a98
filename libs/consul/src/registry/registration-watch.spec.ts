import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, HeldRequests, settle } from '@rookery/test-support';
import type { InstanceStatus } from '@rookery/discovery';
import type { AgentService, HealthCheck } from '../client/api/types.js';
import type { ConsulClient } from '../client/consul-client.js';
import { ConsulError } from '../client/consul-error.js';
import { RegistrationWatch } from './registration-watch.js';

const WAIT_MS = 75_000;
const SERVICE = { ID: 'web-1', Service: 'web', ContentHash: 'h1' } as AgentService;
const check = (id: string, Status = 'passing', ServiceID = 'web-1'): HealthCheck =>
  ({ CheckID: id, Name: id, Status, ServiceID, Output: '' }) as HealthCheck;
const CHECKS = [check('web-1:http')];
const noLeader = new ConsulError('RK_REGISTRY_NO_LEADER', 'No cluster leader');
const denied = new ConsulError('RK_ACL_DENIED', 'Permission denied');
const unreachable = new ConsulError('RK_REGISTRY_UNREACHABLE', 'connect ECONNREFUSED');

describe('RegistrationWatch', () => {
  let clock: FakeClock;
  let stopping: AbortController;
  let services: HeldRequests;
  let nodes: HeldRequests;
  /** The checks that the agent itself has. */
  let held: HealthCheck[];
  let reads: number;
  let statuses: InstanceStatus[];
  let client: { disconnects: number };
  let outcome: unknown;

  beforeEach(() => {
    clock = new FakeClock();
    stopping = new AbortController();
    services = new HeldRequests(clock, (response) => response);
    nodes = new HeldRequests(clock, (response) => response);
    statuses = [];
    held = [...CHECKS];
    reads = 0;
    outcome = undefined;
    client = { disconnects: 0 };
  });

  async function watch({ node = 'host', hash = 'h1' }: { node?: string | null; hash?: string | null } = {}) {
    const list = async (): Promise<{ body: Record<string, HealthCheck> }> => {
      reads++;
      return { body: Object.fromEntries(held.map((each) => [each.CheckID, each])) };
    };
    const fake = Object.assign(client, {
      agent: { service: services.ask, checks: { list } },
      health: { node: nodes.ask },
    });
    const watching = new RegistrationWatch(fake as unknown as ConsulClient, {
      clock,
      random: () => 0.5,
      waitMs: WAIT_MS,
      onStatus: (status) => statuses.push(status),
    });
    const { ContentHash: _known, ...withoutHash } = SERVICE;
    const service = (hash === null ? withoutHash : { ...SERVICE, ContentHash: hash }) as AgentService;
    const observed = { service, checks: CHECKS, node: node ?? undefined, tokenVersion: undefined };
    watching.waitForChange(observed, stopping.signal).then(
      (change) => (outcome = change),
      (error: unknown) => (outcome = error),
    );
    await settle();
  }
  const listed = (checks: readonly HealthCheck[], index = '7'): unknown => ({ body: checks, index });

  describe('of the service that the agent has', () => {
    it('waits for another hash, again and again', async () => {
      await watch();
      expect(services.last).toMatchObject({ name: 'web-1', options: { wait: WAIT_MS, hash: 'h1' } });
      await clock.advance(WAIT_MS);
      await services.last.answer({ contentHash: 'h1' });
      expect(services.all).toHaveLength(2);
      // What is between may not hold the request: that is no reason to ask without a pause.
      await services.last.answer({ contentHash: 'h1' });
      await clock.advance(499);
      expect(services.all).toHaveLength(2);
      await clock.advance(1);
      expect(services.all).toHaveLength(3);
      expect(outcome).toBeUndefined();
      await services.last.answer({ contentHash: 'h2' });
      expect(outcome).toBe('changed');
    });

    it('finds that it is gone', async () => {
      await watch();
      await services.last.answer(undefined);
      expect(outcome).toBe('changed');
    });

    it('asks at intervals where the agent has no hash', async () => {
      await watch({ hash: null });
      expect(services.last.options).toEqual({ wait: WAIT_MS });
      await services.last.answer({ contentHash: undefined });
      expect(services.all).toHaveLength(1);
      await clock.advance(WAIT_MS);
      expect(services.all).toHaveLength(2);
    });

    it.each([unreachable, new ConsulError('RK_REGISTRY_TIMEOUT', 'no response')])(
      'ends with "%s": the registration may be lost',
      async (error) => {
        await watch();
        await services.last.fail(error);
        expect(outcome).toBe(error);
      },
    );

    it('only waits after another error, longer each time', async () => {
      await watch();
      await services.last.fail(noLeader);
      await clock.advance(10_999);
      expect(services.all).toHaveLength(1);
      await clock.advance(1);
      expect(services.all).toHaveLength(2);
      await services.last.fail(noLeader);
      await clock.advance(21_999);
      expect(services.all).toHaveLength(2);
      await clock.advance(1);
      expect(services.all).toHaveLength(3);
      expect(outcome).toBeUndefined();
    });
  });

  describe('of its checks in the catalog', () => {
    it('waits for two seconds until they are there, and then for a change, on its own connection', async () => {
      await watch();
      expect(nodes.last).toMatchObject({ name: 'host', options: { wait: 2_000, ownRegistration: true } });
      await nodes.last.answer(listed([check('serfHealth', 'passing', ''), ...CHECKS]));
      expect(statuses).toEqual(['passing']);
      expect(nodes.all).toHaveLength(1);
      await clock.advance(500);
      expect(nodes.last.options).toEqual({ wait: WAIT_MS, index: '7', ownRegistration: true });
    });

    it('waits longer after a first read that was held, as that of all apps is until there is a leader', async () => {
      await watch();
      await clock.advance(3_000);
      await nodes.last.answer(listed(CHECKS));
      await clock.advance(500 + 2_000 - 1);
      expect(nodes.all).toHaveLength(1);
      await clock.advance(1);
      expect(nodes.last.options).toMatchObject({ index: '7', wait: WAIT_MS });
      // A blocking query is held for its wait.
      await clock.advance(70_000);
      await nodes.last.answer(listed([check('web-1:http', 'warning')], '8'));
      await clock.advance(500);
      expect(nodes.all).toHaveLength(3);
    });

    it('asks at once after a wait in which nothing changed', async () => {
      await watch();
      await nodes.last.answer(listed(CHECKS));
      await clock.advance(500);
      await clock.advance(WAIT_MS);
      await nodes.last.answer(listed(CHECKS));
      expect(nodes.all).toHaveLength(3);
      // Unless what is between does not hold the request.
      await nodes.last.answer(listed(CHECKS));
      await clock.advance(499);
      expect(nodes.all).toHaveLength(3);
      await clock.advance(1);
      expect(nodes.all).toHaveLength(4);
    });

    it('asks less and less often as long as other checks change, and at once again after news of its own', async () => {
      await watch();
      await nodes.last.answer(listed(CHECKS));
      await clock.advance(500);
      const pauses: number[] = [];
      for (let index = 8; index < 16; index++) {
        const before = clock.now();
        const count = nodes.all.length;
        const status = index === 14 ? 'warning' : index === 15 ? 'warning' : 'passing';
        await nodes.last.answer(listed([check('web-1:http', status)], String(index)));
        while (nodes.all.length === count) await clock.advance(500);
        pauses.push(clock.now() - before);
      }
      expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 16_000, 500, 1_000]);
      expect(statuses).toEqual([...Array<string>(7).fill('passing'), 'warning', 'warning']);
    });

    it('tells the status as clients see it', async () => {
      await watch();
      await nodes.last.answer(listed(CHECKS));
      await clock.advance(500);
      await nodes.last.answer(listed([check('web-1:http', 'critical'), check('other', 'warning', 'x')], '8'));
      expect(statuses).toEqual(['passing', 'critical']);
      expect(outcome).toBeUndefined();
    });

    it.each([
      ['unlisted', [check('serfHealth', 'passing', '')]],
      ['changed', [...CHECKS, check('web-1:second')]],
      ['changed', [{ ...check('web-1:http'), Name: 'another' }]],
    ] as const)('is "%s" once they were there and are %j', async (change, checks) => {
      await watch();
      await nodes.last.answer(listed(CHECKS));
      await clock.advance(500);
      await nodes.last.answer(listed(checks, '8'));
      expect(outcome).toBe(change);
    });

    it('is unlisted when the agent has them and the catalog does not, after two seconds', async () => {
      await watch();
      await clock.advance(1_500);
      await nodes.last.answer(listed([check('serfHealth', 'passing', '')]));
      expect(outcome).toBeUndefined();
      expect(nodes.last.options).toMatchObject({ wait: 500, index: '7' });
      await clock.advance(500);
      await nodes.last.answer(listed([check('serfHealth', 'passing', '')]));
      expect(outcome).toBe('unlisted');
      expect(reads).toBe(2);
    });

    it('has changed when the agent itself has others', async () => {
      await watch();
      held = [check('web-1:other')];
      await nodes.last.answer(listed([check('serfHealth', 'passing', '')]));
      expect(outcome).toBe('changed');
    });

    it('waits long after an error, since all apps of a datacenter have it together, and begins without an index', async () => {
      await watch();
      await nodes.last.answer(listed(CHECKS));
      await clock.advance(500);
      await nodes.last.fail(noLeader);
      await clock.advance(10_999);
      expect(nodes.all).toHaveLength(2);
      await clock.advance(1);
      expect(nodes.last.options).not.toHaveProperty('index');
      expect(outcome).toBeUndefined();
    });

    it('never asks again after an error that waiting does not mend', async () => {
      await watch();
      await nodes.last.fail(denied);
      await clock.advance(10 * 60_000);
      expect(nodes.all).toHaveLength(1);
      expect(outcome).toBeUndefined();
    });

    it('begins without an index after a disconnect', async () => {
      await watch();
      await nodes.last.answer(listed(CHECKS));
      client.disconnects++;
      await clock.advance(500);
      expect(nodes.last.options).not.toHaveProperty('index');
    });
  });

  describe.each([
    ['no check has the name of the node', { node: null }],
    ['the token may not read the node', {}],
  ])('where %s', (_why, options) => {
    beforeEach(async () => {
      await watch(options);
      if (nodes.all.length > 0) await nodes.last.answer(listed([]));
    });

    it('reads the checks of the agent once a minute, and tells their status', async () => {
      await clock.advance(59_999);
      expect(reads).toBe(0);
      held = [check('web-1:http', 'warning'), check('other', 'critical', 'x')];
      await clock.advance(1);
      expect(reads).toBe(1);
      expect(statuses).toEqual(['warning']);
      await clock.advance(60_000);
      expect(reads).toBe(2);
      expect(outcome).toBeUndefined();
    });

    it('finds that they have changed', async () => {
      held = [];
      await clock.advance(60_000);
      expect(outcome).toBe('changed');
    });
  });

  it('ends with its signal, and leaves no timer', async () => {
    await watch();
    await nodes.last.answer(listed(CHECKS));
    stopping.abort(new Error('over'));
    await settle();
    expect(outcome).toMatchObject({ message: 'over' });
    expect(clock.pending).toBe(0);
  });
});
