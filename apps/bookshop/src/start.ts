// `npm start`: a registry, three inventory instances, two of reviews over gRPC, and a storefront, until Ctrl-C. `npm start -- --registry etcd`: on etcd.
import { once } from 'node:events';
import { Bookshop } from './bookshop.js';
import { chosenRegistry } from './registry/choose-registry.js';
import { findOrStartConsul } from './registry/consul.js';
import { findOrStartEtcd } from './registry/etcd.js';
import type { UsedRegistry } from './registry/used-registry.js';

const FIND = { consul: findOrStartConsul, etcd: findOrStartEtcd };
const INVENTORIES = 3;
const REVIEWS = 2;

async function run(): Promise<void> {
  const ended = Promise.race(['SIGINT', 'SIGTERM', 'SIGHUP'].map((signal) => once(process, signal)));
  const find = FIND[chosenRegistry(process.argv.slice(2))];
  process.stdout.write('Starting the bookshop…\n');
  const registry = await find();
  const bookshop = new Bookshop(registry);
  try {
    const inventories = await Promise.all(
      Array.from({ length: INVENTORIES }, () => bookshop.startInventory()),
    );
    const reviews = await Promise.all(Array.from({ length: REVIEWS }, () => bookshop.startReviews()));
    const storefront = await bookshop.startStorefront();
    process.stdout.write(
      screen(registry, {
        inventories: inventories.map(({ url, pid }) => ({ url, pid })),
        reviews: reviews.map(({ port, pid }) => ({ port, pid })),
        storefront: storefront.url,
      }),
    );
    await ended;
    process.stdout.write('\nStopping: each app deregisters first…\n');
  } finally {
    await bookshop.stopAll();
    await registry.stop();
  }
  process.stdout.write('Nothing is left running.\n');
}

interface Running {
  readonly inventories: readonly { readonly url: string; readonly pid: number | undefined }[];
  readonly reviews: readonly { readonly port: number; readonly pid: number | undefined }[];
  readonly storefront: string;
}

function screen(
  { name, description, commands, page }: UsedRegistry,
  { inventories, reviews, storefront }: Running,
): string {
  return `
  ${name.padEnd(12)} ${description}
${inventories.map(({ url, pid }, index) => `  inventory ${index + 1}  ${url}  (pid ${pid ?? 'none'})`).join('\n')}
${reviews.map(({ port, pid }, index) => `  reviews ${index + 1}    127.0.0.1:${port}, gRPC  (pid ${pid ?? 'none'})`).join('\n')}
  storefront   ${storefront}

  Open         ${storefront}                  the shop: which instance has answered
               ${storefront}/rookery          the dashboard: what the shop sees of its services
               ${storefront}/books?search=dune
               ${storefront}/books/42          one book; "answeredBy" changes with every call
               ${storefront}/instances         the instances of inventory that the storefront uses
${page === undefined ? '' : `               ${page.padEnd(storefront.length)}          what ${name} has: services, checks, keys\n`}
  Try          kill ${inventories[0]?.pid ?? ''}                and keep calling the storefront
               kill -9 ${inventories[1]?.pid ?? ''}             the same without a shutdown: requests in flight on it may fail
               kill -9 ${reviews[0]?.pid ?? ''}             one that answers over gRPC: ratings stay
               curl ${inventories[2]?.url ?? ''}/health
               ${commands.list}

  Configure    ${commands.discount}
               the storefront's prices fall at once; with 250 the last good value stays, and it says why:
               curl ${storefront}/health

  Ctrl-C ends all of it.
`;
}

run().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
