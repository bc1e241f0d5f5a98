import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { DiscoveryError } from '../errors/discovery-error.js';
import { driftOf } from '../registration/registration-drift.js';
import type { ServiceInstance } from '../registry/service-instance.js';
import type { RegistrationRecord, ServiceRegistration } from '../registry/service-registration.js';
import type { RegistrationChange, ServiceRegistry } from '../registry/service-registry.js';
import { soon, untilListed, type ContractCase } from './contract-case.js';

/** A registry without registrations, and a way to remove one as others would. */
export interface RegistryUnderTest {
  readonly registry: ServiceRegistry;
  readonly remove: (registration: Pick<ServiceRegistration, 'service' | 'id'>) => Promise<void>;
  /** Closes the registry, and ends what it needs. */
  readonly stop: () => Promise<void>;
}

const QUIET_MS = 500;

const FIRST: ServiceRegistration = {
  id: 'contract-1',
  service: 'contract',
  address: '127.0.0.1',
  port: 4001,
  secure: false,
  tags: ['v1', 'grün'],
  meta: { version: '1.0.0', note: 'a "quoted" word' },
  taggedAddresses: { wan: { address: '203.0.113.7', port: 80 } },
  enableTagOverride: false,
  weights: { passing: 10, warning: 2 },
  checks: [{ type: 'ttl', id: 'contract-1:ttl', name: 'TTL', notes: 'of the contract', ttlMs: 60_000 }],
  status: 'passing',
  maintenance: undefined,
};
const SECOND: ServiceRegistration = {
  ...FIRST,
  id: 'contract-2',
  port: 4002,
  checks: FIRST.checks.map((check) => ({ ...check, id: 'contract-2:ttl' })),
};

/**
 * What every `ServiceRegistry` does besides looking up (`sourceContract`), for its author to prove.
 *
 * @param start a registry in which nothing is registered
 */
export function registryContract(start: () => Promise<RegistryUnderTest>): readonly ContractCase[] {
  const withRegistry = (
    name: string,
    work: (tools: ContractTools, subject: RegistryUnderTest) => Promise<void>,
  ): ContractCase => ({
    name,
    run: async () => {
      const subject = await start();
      const ending = new AbortController();
      try {
        await work(new ContractTools(subject.registry, ending.signal), subject);
      } finally {
        ending.abort(new Error('the case has ended'));
        await subject.stop();
      }
    },
  });
  return [
    withRegistry('holds what was registered, and lists it', async ({ registry, ...tools }) => {
      await tools.register(FIRST);
      assertSame(FIRST, await tools.read(FIRST));
      const listed = await tools.listed((instances) => instances.length === 1);
      const { id, service, address, port, secure, tags, status, weight, meta } = listed[0] ?? never();
      assert.deepEqual(
        { id, service, address, port, secure, status, weight },
        {
          ...{ id: 'contract-1', service: 'contract', address: '127.0.0.1', port: 4001 },
          ...{ secure: false, status: 'passing', weight: 10 },
        },
      );
      assert.equal([...tags].sort().join(), [...FIRST.tags].sort().join());
      assert.equal(meta.note, FIRST.meta.note);
      assert.ok(registry.description.length > 0);
    }),
    withRegistry('knows nothing of an id that is not registered', async (tools) => {
      assert.equal(await tools.read(FIRST), undefined);
    }),
    withRegistry(
      'changes nothing by registering the same again, and what has changed otherwise',
      async (tools) => {
        await tools.register(FIRST);
        await tools.register(FIRST);
        assertSame(FIRST, await tools.read(FIRST));
        const other = { ...FIRST, tags: ['v2'], meta: { version: '2.0.0' } };
        await tools.register(other);
        assertSame(other, await tools.read(other));
        const listed = await tools.listed(([instance]) => instance?.meta.version === '2.0.0');
        assert.equal(listed.length, 1);
      },
    ),
    withRegistry('removes one registration of several; to remove it again is no error', async (tools) => {
      await tools.register(FIRST);
      await tools.register(SECOND);
      await tools.listed((instances) => instances.length === 2);
      await tools.deregister(FIRST);
      await tools.deregister(FIRST);
      assert.equal(await tools.read(FIRST), undefined);
      const [left] = await tools.listed((instances) => instances.length === 1);
      assert.equal(left?.id, 'contract-2');
      assertSame(SECOND, await tools.read(SECOND));
    }),
    withRegistry('notices when another client removes it, and nothing before', async (tools, { remove }) => {
      await tools.register(FIRST);
      const statuses: string[] = [];
      const changed = tools.waitForChange(FIRST, await tools.held(FIRST), statuses);
      await assertPending(changed);
      await remove(FIRST);
      await soon('the end of waitForChange', changed);
      assert.ok(statuses.includes('passing'), `onStatus was called with ${JSON.stringify(statuses)}`);
      assert.equal(await tools.read(FIRST), undefined);
      // Then the core registers it again.
      await tools.register(FIRST);
      assertSame(FIRST, await tools.read(FIRST));
    }),
    withRegistry('ends waitForChange when its signal aborts', async (tools) => {
      await tools.register(FIRST);
      const ending = new AbortController();
      const record = await tools.held(FIRST);
      const waiting = tools.registry.waitForChange(FIRST, record, () => undefined, ending.signal);
      await assertPending(waiting);
      ending.abort(new Error('enough'));
      await soon('the end of an aborted waitForChange', assert.rejects(waiting));
    }),
    withRegistry('lists an instance with the status that it reports', async (tools) => {
      await tools.register(FIRST);
      const report = (status: 'passing' | 'warning' | 'critical', output: string): Promise<void> =>
        soon('report', tools.registry.report('contract-1:ttl', status, output, tools.signal));
      await report('critical', 'no database');
      await tools.listed(([instance]) => instance?.status === 'critical');
      const record = await tools.held(FIRST);
      assert.equal(record.status, 'critical');
      assert.match(record.failing.map(({ output }) => output).join(), /no database/);
      await report('warning', 'slow');
      const [slow] = await tools.listed(([instance]) => instance?.status === 'warning');
      assert.equal(slow?.weight, 2);
      await report('passing', 'well');
      await tools.listed(([instance]) => instance?.status === 'passing');
    }),
    withRegistry('refuses a report to a check that it does not have', async (tools) => {
      const work = soon('report', tools.registry.report('nothing:ttl', 'passing', '', tools.signal));
      await assert.rejects(work, (error) => error instanceof DiscoveryError && error.code === 'RK_NOT_FOUND');
    }),
    withRegistry('puts an instance into maintenance for a reason, and ends that', async (tools) => {
      await tools.register(FIRST);
      await tools.registry.setMaintenance('contract-1', 'a new disk', tools.signal);
      await tools.listed(([instance]) => instance?.status === 'maintenance');
      const record = await tools.held(FIRST);
      assert.equal(record.maintenance, 'a new disk');
      assert.equal(record.status, 'maintenance');
      await tools.registry.setMaintenance('contract-1', undefined, tools.signal);
      await tools.listed(([instance]) => instance?.status === 'passing');
    }),
    withRegistry('does nothing with a signal that has aborted', async (tools) => {
      const aborted = AbortSignal.abort(new Error('enough'));
      await soon('an aborted register', assert.rejects(tools.registry.register(FIRST, aborted)));
      assert.equal(await tools.read(FIRST), undefined);
    }),
  ];
}

/** Bounded calls to the registry. */
class ContractTools {
  constructor(
    readonly registry: ServiceRegistry,
    readonly signal: AbortSignal,
  ) {}

  readonly register = (registration: ServiceRegistration): Promise<void> =>
    soon('register', this.registry.register(registration, this.signal));

  readonly deregister = (registration: ServiceRegistration): Promise<void> =>
    soon('deregister', this.registry.deregister(registration, this.signal));

  readonly read = (registration: ServiceRegistration): Promise<RegistrationRecord | undefined> =>
    soon('read', this.registry.read(registration, this.signal));

  readonly held = async (registration: ServiceRegistration): Promise<RegistrationRecord> =>
    (await this.read(registration)) ?? never();

  readonly waitForChange = (
    registration: ServiceRegistration,
    record: RegistrationRecord,
    statuses: string[],
  ): Promise<RegistrationChange> =>
    this.registry.waitForChange(registration, record, (status) => statuses.push(status), this.signal);

  readonly listed = (
    isRight: (instances: readonly ServiceInstance[]) => boolean,
  ): Promise<readonly ServiceInstance[]> => untilListed(this.registry, FIRST.service, isRight);
}

function assertSame(desired: ServiceRegistration, actual: RegistrationRecord | undefined): void {
  assert.ok(actual, `nothing is held under "${desired.id}"`);
  assert.equal(
    driftOf(desired, actual).join(),
    '',
    `the core would repair it for ever: ${JSON.stringify(actual)}`,
  );
}

async function assertPending(work: Promise<unknown>): Promise<void> {
  const settled = Symbol('settled');
  const first = await Promise.race([
    work.then(
      () => settled,
      () => settled,
    ),
    sleep(QUIET_MS),
  ]);
  assert.notEqual(first, settled, 'it settled although nothing had changed');
}

function never(): never {
  throw new Error('it is not there');
}
