// `npm start`: Consul, three inventory instances and a storefront, until Ctrl-C.
import { once } from 'node:events';
import { Bookshop } from './bookshop.js';
import { findOrStartConsul, USUAL_ADDRESS } from './find-or-start-consul.js';

const INVENTORIES = 3;

async function run(): Promise<void> {
  const ended = Promise.race(['SIGINT', 'SIGTERM', 'SIGHUP'].map((signal) => once(process, signal)));
  process.stdout.write('Starting the bookshop…\n');
  const consul = await findOrStartConsul();
  const bookshop = new Bookshop(consul.url);
  try {
    const inventories = await Promise.all(
      Array.from({ length: INVENTORIES }, () => bookshop.startInventory()),
    );
    const storefront = await bookshop.startStorefront();
    process.stdout.write(
      screen(
        consul.url,
        consul.description,
        inventories.map(({ url, pid }) => ({ url, pid })),
        storefront.url,
      ),
    );
    await ended;
    process.stdout.write('\nStopping: each app deregisters first…\n');
  } finally {
    await bookshop.stopAll();
    await consul.stop();
  }
  process.stdout.write('Nothing is left running.\n');
}

function screen(
  consulUrl: string,
  consul: string,
  inventories: readonly { url: string; pid: number | undefined }[],
  storefront: string,
): string {
  // The command finds a Consul at its usual address by itself.
  const address = consulUrl === USUAL_ADDRESS ? '' : ` --http-addr ${consulUrl}`;
  return `
  Consul       ${consul}
${inventories.map(({ url, pid }, index) => `  inventory ${index + 1}  ${url}  (pid ${pid ?? 'none'})`).join('\n')}
  storefront   ${storefront}

  Open         ${storefront}                  the shop: which instance has answered
               ${storefront}/rookery          the dashboard: what the shop sees of its services
               ${storefront}/books?search=dune
               ${storefront}/books/42          one book; "answeredBy" changes with every call
               ${storefront}/instances         the instances of inventory that the storefront uses
               ${consulUrl}/v1/catalog/services        the services that Consul lists

  Try          kill ${inventories[0]?.pid ?? ''}                and keep calling the storefront
               kill -9 ${inventories[1]?.pid ?? ''}             the same without a shutdown: requests in flight on it may fail
               curl ${inventories[2]?.url ?? ''}/health

  Configure    npx rookery config put config/storefront/discount 25${address}
               the storefront's prices fall at once; with 250 the last good value stays, and it says why:
               curl ${storefront}/health

  Ctrl-C ends all of it.
`;
}

run().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
