// moleculer's nodes, over its TCP transport, with their addresses given to them. As a process of its own, one that serves.
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { BOOK } from './book.mjs';

const peers = createRequire(new URL('../peers/package.json', import.meta.url));

/** @param urls of all nodes, `host:port/name` */
export function createBroker(nodeID, urls) {
  const { ServiceBroker } = peers('moleculer');
  return new ServiceBroker({
    nodeID,
    logger: false,
    transporter: { type: 'TCP', options: { udpDiscovery: false, urls } },
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [nodeID] = process.argv.slice(2);
  const broker = createBroker(nodeID, JSON.parse(process.env.BENCH_TARGET).moleculer);
  broker.createService({ name: 'books', actions: { get: () => BOOK, post: () => BOOK } });
  await broker.start();
  process.on('disconnect', () => process.exit());
  process.send({ ready: true });
}
