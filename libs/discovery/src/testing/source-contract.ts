import assert from 'node:assert/strict';
import { DiscoveryError } from '../errors/discovery-error.js';
import type { InstanceSource } from '../registry/instance-source.js';
import type { ServiceInstance } from '../registry/service-instance.js';
import { portsOf, soon, untilListed, type ContractCase, type ContractInstance } from './contract-case.js';

/** A source with what it lists, and a way to change that as others would. */
export interface SourceUnderTest {
  readonly source: InstanceSource;
  /** Undefined: what it lists never changes. */
  readonly put?: ((instance: ContractInstance) => Promise<void>) | undefined;
  readonly remove?: ((instance: ContractInstance) => Promise<void>) | undefined;
  /** It cannot name the services, as DNS cannot. Default: it can. */
  readonly namesNoServices?: boolean;
  /** Closes the source, and ends what it needs. */
  readonly stop: () => Promise<void>;
}

const BOOKS: readonly ContractInstance[] = [
  { service: 'books', id: 'books-1', port: 4001 },
  { service: 'books', id: 'books-2', port: 4002 },
];
const FOREIGN: ContractInstance = { service: 'books2', id: 'books2-1', port: 4003 };

/**
 * What every `InstanceSource` does, for its author to prove.
 *
 * @param start a source that lists exactly these instances
 *
 * @example
 * ```ts
 * for (const { name, run } of sourceContract(startMySource)) it(name, run);
 * ```
 */
export function sourceContract(
  start: (instances: readonly ContractInstance[]) => Promise<SourceUnderTest>,
): readonly ContractCase[] {
  const withSource = (name: string, work: (subject: SourceUnderTest) => Promise<void>): ContractCase => ({
    name,
    run: async () => {
      const subject = await start([...BOOKS, FOREIGN]);
      try {
        await work(subject);
      } finally {
        await subject.stop();
      }
    },
  });
  return [
    withSource(
      'lists every instance of a service, and none of one whose name begins alike',
      async ({ source }) => {
        const instances = await untilListed(source, 'books', (list) => list.length >= 2);
        assert.equal(portsOf(instances), '4001 4002');
        for (const instance of instances) assertInstance(instance, 'books');
      },
    ),
    withSource('yields an empty list at once for a service without instances', async ({ source }) => {
      assert.equal((await untilListed(source, 'absent', () => true)).length, 0);
    }),
    withSource('reads the same list afresh', async ({ source }) => {
      const { signal } = new AbortController();
      assert.equal(
        portsOf(await soon('readConsistent', source.readConsistent('books', {}, signal))),
        '4001 4002',
      );
      assert.equal(portsOf(await soon('readConsistent', source.readConsistent('absent', {}, signal))), '');
    }),
    withSource('names the services', async ({ source, namesNoServices }) => {
      if (namesNoServices) return;
      const services = await soon('services', source.services(new AbortController().signal));
      for (const name of ['books', 'books2'])
        assert.ok(
          Array.isArray(services[name]),
          `"${name}" and its tags are missing from ${JSON.stringify(services)}`,
        );
    }),
    withSource('ends a watch when its signal aborts, whatever it waits for', async ({ source }) => {
      const ending = new AbortController();
      const iterator = source.watch('books', {}, ending.signal)[Symbol.asyncIterator]();
      await soon('the first list', iterator.next());
      const next = iterator.next();
      ending.abort(new Error('enough'));
      await soon(
        'the end of an aborted watch',
        next.then(
          () => undefined,
          () => undefined,
        ),
      );
    }),
    withSource('refuses a query that it cannot answer, instead of listing all', async ({ source }) => {
      const refused = await codeOf(
        source.readConsistent('books', { filter: '((' }, new AbortController().signal),
      );
      assert.match(
        String(refused),
        /^RK_(INVALID_ARGUMENT|REGISTRY_BAD_REQUEST)$/,
        `filter: "((" gave ${String(refused)}`,
      );
    }),
    withSource('answers a ping, and says where it is', async ({ source }) => {
      assert.equal(typeof (await soon('ping', source.ping(new AbortController().signal))).leader, 'boolean');
      assert.ok(source.description.length > 0 && source.cacheKey.length > 0);
    }),
    withSource(
      'yields a whole list again when an instance comes, and when one leaves',
      async ({ source, put, remove }) => {
        if (!put || !remove) return;
        const third = { service: 'books', id: 'books-3', port: 4004 };
        const has =
          (...ports: number[]) =>
          (list: readonly ServiceInstance[]) =>
            portsOf(list) === ports.join(' ');
        const came = untilListed(source, 'books', has(4001, 4002, 4004));
        await put(third);
        await came;
        const left = untilListed(source, 'books', has(4002, 4004));
        await remove({ service: 'books', id: 'books-1', port: 4001 });
        await left;
      },
    ),
  ];
}

function assertInstance(instance: ServiceInstance, service: string): void {
  const { id, address, port, weight, tags, meta } = instance;
  const text = JSON.stringify(instance);
  assert.equal(instance.service, service, text);
  assert.ok(id.length > 0 && address === '127.0.0.1' && Number.isInteger(port) && weight > 0, text);
  assert.equal(instance.status, 'passing', text);
  for (const part of [instance, tags, meta]) assert.ok(Object.isFrozen(part), `not frozen: ${text}`);
}

/** The code of the error; what it resolved with, if it did. */
async function codeOf(work: Promise<unknown>): Promise<unknown> {
  try {
    return await soon('an answer', work);
  } catch (error) {
    return error instanceof DiscoveryError ? error.code : error;
  }
}
