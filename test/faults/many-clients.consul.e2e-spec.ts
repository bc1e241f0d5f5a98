import { Metadata } from '@grpc/grpc-js';
import type { INestApplication, Type } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ConsulModule } from '@rookery/consul';
import { GrpcClients, GrpcDiscoveryModule } from '@rookery/microservices/grpc';
import { TcpClients, TcpDiscoveryModule } from '@rookery/microservices/tcp';
import { ConsulAgent, eventually, figure } from '@rookery/test-support';
import { firstValueFrom } from 'rxjs';
import { createApp, rootModule } from '../e2e/test-app.js';
import { LibraryServer, PROTO, type LibraryService } from '../microservices/library-server.js';
import { TcpLibrary } from '../microservices/tcp-server.js';
import { connectionsTo } from './established-connections.js';
import { putInstance } from './watching-app.js';

const SERVICES = 1_000;
/** By default 46 watch lists, 2 poll the others, and 16 are for single requests. */
const TO_CONSUL = 64;
/** That the instances were put with; it is kept open for a few seconds. */
const OF_THE_TEST = 1;

type Find = () => Promise<unknown>;

const TRANSPORTS = [
  {
    fault: 'F61',
    name: 'gRPC',
    module: GrpcDiscoveryModule as Type,
    start: () => LibraryServer.start(),
    /** Two clients share a connection. */
    connections: SERVICES,
    create: (app: INestApplication, service: string): Find => {
      const options = { package: 'library', protoPath: PROTO, service: 'Library' };
      const library = app.get(GrpcClients).create<LibraryService>(service, options);
      return () => firstValueFrom(library.find({ title: 'Dune' }, new Metadata()));
    },
  },
  {
    fault: 'F62',
    name: 'TCP',
    module: TcpDiscoveryModule as Type,
    start: () => TcpLibrary.start(),
    /** Each client has its own. */
    connections: 2 * SERVICES,
    create: (app: INestApplication, service: string): Find => {
      const library = app.get(TcpClients).create({ service });
      return () => firstValueFrom(library.send('find', { title: 'Dune' }));
    },
  },
];

/** Sockets and timers, which keep a process alive. */
const resources = (): number =>
  process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap' || name === 'Timeout').length;

describe.each(TRANSPORTS)(
  '$name clients of a thousand services in one process',
  ({ fault, name, module, start, connections, create }) => {
    let agent: ConsulAgent;
    beforeAll(async () => {
      agent = await ConsulAgent.start();
    });
    afterAll(() => agent.stop());

    it(`${fault} have a connection to each instance that they call and no other, and leave nothing when the app is closed`, async () => {
      const server = await start();
      const services = Array.from({ length: SERVICES }, (_, n) => `library-${n}`);
      for (const service of services) await putInstance(agent, service, `${service}-1`, server.directPort);
      const before = resources();
      const consul = ConsulModule.forRoot({ agent: { url: agent.url } });
      const { app } = await createApp(rootModule([consul, module as never]));
      await app.init();
      const clients = services.flatMap((service) => [create(app, service), create(app, service)]);
      expect(connectionsTo(server.directPort)).toBe(0);

      const begun = performance.now();
      for (let n = 0; n < clients.length; n += 100)
        await Promise.all(clients.slice(n, n + 100).map((find) => find()));
      const took = performance.now() - begun;
      const open = connectionsTo(server.directPort);
      const toConsul = connectionsTo(agent.ports.http);
      await Promise.all(clients.slice(0, 100).map((find) => find()));
      expect(connectionsTo(server.directPort)).toBe(open);

      const closing = performance.now();
      await app.close();
      await eventually(() => connectionsTo(server.directPort) === 0, { within: 30_000, every: 50 });
      const closed = performance.now() - closing;
      figure(
        fault,
        `${name}: ${clients.length} clients of ${SERVICES} services, each called once within ${(took / 1000).toFixed(1)} s, over ${open} connections, ${toConsul} to Consul; none ${(closed / 1000).toFixed(1)} s after the app was closed`,
      );
      expect(open).toBeLessThanOrEqual(connections);
      expect(toConsul).toBeLessThanOrEqual(TO_CONSUL + OF_THE_TEST);
      await eventually(() => resources() <= before);
      expect(connectionsTo(agent.ports.http)).toBeLessThanOrEqual(OF_THE_TEST);
      await server.stop();
    }, 180_000);
  },
);
