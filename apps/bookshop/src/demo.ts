// `npm run demo`: calls while instances and Consul stop and start. Exits 1 if a scene failed.
import { eventually, type AppProcess } from '@rookery/test-support';
import { Bookshop } from './bookshop.js';
import { startConsul } from './find-or-start-consul.js';
import { underLoad, type LoadResult } from './load.js';

interface ActResult extends LoadResult {
  readonly name: string;
  readonly seenAfterMs: number | undefined;
  readonly problem: string | undefined;
}

const SEEN_WITHIN_MS = 30_000;

async function run(): Promise<boolean> {
  const consul = await startConsul();
  const bookshop = new Bookshop(consul.url);
  const results: ActResult[] = [];
  try {
    process.stdout.write(`Consul: ${consul.description}\n`);
    const inventories = await Promise.all([1, 2, 3].map(() => bookshop.startInventory()));
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
    await act('another instance starts', async () => {
      ports.add((await bookshop.startInventory()).port);
    });
    await act('one instance stops (SIGTERM)', async () => {
      ports.delete(second.port);
      await bookshop.stop(second);
    });
    await act(
      'a discount is set in Consul',
      () => setDiscount(consul.url, '50'),
      () => hasPrice(storefront, '10.45 EUR'),
    );
    await act(
      'Consul is killed: the discount stays',
      () => consul.kill(),
      () => hasPrice(storefront, '10.45 EUR'),
    );
    // List protection keeps the instances, since they answer probes.
    await act('Consul comes back, empty', async () => {
      await consul.restartEmpty();
      await eventually(() => registered(consul.url, ports), { within: SEEN_WITHIN_MS });
    });
    await act(
      'and calls go on, at the same price',
      async () => undefined,
      () => hasPrice(storefront, '10.45 EUR'),
    );
  } finally {
    await bookshop.stopAll();
    await consul.stop();
  }
  process.stdout.write(table(results));
  return results.every(passed);
}

async function seesExactly(storefront: AppProcess, ports: ReadonlySet<number>): Promise<boolean> {
  const response = await fetch(`${storefront.url}/instances`);
  const seen = (await response.json()) as { port: number }[];
  return seen.length === ports.size && seen.every(({ port }) => ports.has(port));
}

async function setDiscount(consulUrl: string, percent: string): Promise<void> {
  await fetch(`${consulUrl}/v1/kv/config/storefront/discount`, { method: 'PUT', body: percent });
}

async function hasPrice(storefront: AppProcess, price: string): Promise<boolean> {
  const response = await fetch(`${storefront.url}/books/1`);
  return ((await response.json()) as { offer: { price: string } }).offer.price === price;
}

async function registered(consulUrl: string, ports: ReadonlySet<number>): Promise<boolean> {
  const response = await fetch(`${consulUrl}/v1/health/service/inventory?passing`);
  return ((await response.json()) as unknown[]).length === ports.size;
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
