// `npm run demo`: calls while instances and the registry stop and start; with `-- --registry etcd` on etcd. Exits 1 if a scene failed.
import { eventually, type AppProcess } from '@rookery/test-support';
import { Bookshop } from './bookshop.js';
import { underLoad, type LoadResult } from './load.js';
import { chosenRegistry } from './registry/choose-registry.js';
import { startConsul } from './registry/consul.js';
import { startEtcd } from './registry/etcd.js';

interface ActResult extends LoadResult {
  readonly name: string;
  readonly seenAfterMs: number | undefined;
  readonly problem: string | undefined;
}

const SEEN_WITHIN_MS = 30_000;
const START = { consul: startConsul, etcd: startEtcd };

async function run(): Promise<boolean> {
  const registry = await START[chosenRegistry(process.argv.slice(2))]();
  const { name: registryName } = registry;
  const bookshop = new Bookshop(registry);
  const results: ActResult[] = [];
  try {
    process.stdout.write(`${registryName}: ${registry.description}\n`);
    const inventories = await Promise.all([1, 2, 3].map(() => bookshop.startInventory()));
    const [rating, other] = (await Promise.all([1, 2].map(() => bookshop.startReviews()))) as [
      AppProcess,
      AppProcess,
    ];
    const storefront = await bookshop.startStorefront();
    const [first, second] = inventories as [AppProcess, AppProcess];
    const ports = new Set(inventories.map(({ port }) => port));

    const act = async (
      name: string,
      change: () => Promise<void>,
      isSeen = () => seesExactly(storefront, ports),
    ): Promise<void> => {
      process.stdout.write(`${name}…\n`);
      let seenAfterMs: number | undefined;
      let problem: string | undefined;
      const load = await underLoad(storefront.url, async () => {
        try {
          await change();
          const changedAt = performance.now();
          await eventually(isSeen, { within: SEEN_WITHIN_MS });
          seenAfterMs = performance.now() - changedAt;
        } catch (error) {
          problem = error instanceof Error ? error.message : String(error);
        }
      });
      results.push({ ...load, name, seenAfterMs, problem });
    };

    await act('three instances take calls', async () => undefined);
    await act('one instance is killed (SIGKILL)', async () => {
      ports.delete(first.port);
      await bookshop.kill(first);
    });
    await act(
      'one of reviews is killed, over gRPC',
      () => bookshop.kill(rating),
      () => seesExactly(storefront, new Set([other.port]), 'reviews'),
    );
    await act('another instance starts', async () => {
      ports.add((await bookshop.startInventory()).port);
    });
    await act('one instance stops (SIGTERM)', async () => {
      ports.delete(second.port);
      await bookshop.stop(second);
    });
    await act(
      `a discount is set in ${registryName}`,
      () => registry.put('config/storefront/discount', '50'),
      () => hasPrice(storefront, '10.45 EUR'),
    );
    await act(
      `${registryName} is killed: the discount stays`,
      () => registry.kill(),
      () => hasPrice(storefront, '10.45 EUR'),
    );
    // List protection keeps the instances, since they answer probes.
    await act(`${registryName} comes back, empty`, async () => {
      await registry.restartEmpty();
      await eventually(
        async () =>
          (await registry.count('inventory')) === ports.size && (await registry.count('reviews')) === 1,
        {
          within: SEEN_WITHIN_MS,
        },
      );
    });
    await act(
      'and calls go on, at the same price',
      async () => undefined,
      () => hasPrice(storefront, '10.45 EUR'),
    );
  } finally {
    await bookshop.stopAll();
    await registry.stop();
  }
  process.stdout.write(table(results));
  return results.every(passed);
}

async function seesExactly(
  storefront: AppProcess,
  ports: ReadonlySet<number>,
  service = 'inventory',
): Promise<boolean> {
  const response = await fetch(`${storefront.url}/instances?service=${service}`);
  const seen = (await response.json()) as { port: number }[];
  return seen.length === ports.size && seen.every(({ port }) => ports.has(port));
}

async function hasPrice(storefront: AppProcess, price: string): Promise<boolean> {
  const response = await fetch(`${storefront.url}/books/1`);
  return ((await response.json()) as { offer: { price: string } }).offer.price === price;
}

/** Calls are GETs: none may fail, whatever stops. */
function passed({ calls, failed, problem }: ActResult): boolean {
  return calls > 0 && failed === 0 && problem === undefined;
}

function table(results: readonly ActResult[]): string {
  const rows = [
    ['act', 'calls', 'failed', 'instances', 'new state seen after', ''],
    ...results.map((result) => [
      result.name,
      String(result.calls),
      String(result.failed),
      String(result.answeredBy.size),
      result.seenAfterMs === undefined ? 'never' : `${Math.round(result.seenAfterMs)} ms`,
      passed(result) ? 'ok' : `FAILED ${result.problem ?? result.firstFailure ?? ''}`,
    ]),
  ];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return `\n${lines.join('\n')}\n`;
}

run().then(
  (ok) => (process.exitCode = ok ? 0 : 1),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exitCode = 1;
  },
);
