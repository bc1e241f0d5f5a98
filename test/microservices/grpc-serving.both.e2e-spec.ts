import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http2';
import {
  credentials,
  makeClientConstructor,
  Metadata,
  ServerCredentials,
  status,
  type ClientReadableStream,
  type ClientUnaryCall,
  type ServiceDefinition,
  type ServiceError,
  type StatusObject,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import * as newest from '@grpc/grpc-js/build/src/index.js';
import { fromJSON } from '@grpc/proto-loader';
import { Controller, Injectable, type INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { GrpcMethod, Transport, type GrpcOptions } from '@nestjs/microservices';
import { HealthIndicatorService } from '@nestjs/terminus';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  ConsulModule,
  DiscoveryService,
  HealthContributor,
  LoadReporter,
  RegistrationService,
  type ConsulModuleOptions,
} from '@rookery/consul';
import { GrpcDiscoveryModule } from '@rookery/microservices/grpc';
import {
  eventually,
  freePorts,
  RecordingLogger,
  startTestConsul,
  TestCertificates,
  type TestConsul,
} from '@rookery/test-support';
import { rootModule } from '../e2e/test-app.js';
import { Library, PROTO } from './library-server.js';

// Written from the published protocol, as any other client has it.
const messages: Record<string, object> = {
  Request: { fields: { service: { type: 'string', id: 1 } } },
  Response: { fields: { status: { type: 'int32', id: 1 } } },
  Health: {
    methods: {
      Check: { requestType: 'Request', responseType: 'Response' },
      Watch: { requestType: 'Request', responseType: 'Response', responseStream: true },
    },
  },
};
const definitions = fromJSON({ nested: { 'grpc.health.v1': { nested: messages } } });
const Health = makeClientConstructor(definitions['grpc.health.v1.Health'] as ServiceDefinition, 'Health');

interface Answered {
  readonly status: number;
}
interface HealthClient {
  check(
    request: { service: string },
    callback: (error: ServiceError | null, answer?: Answered) => void,
  ): void;
  watch(request: { service: string }): ClientReadableStream<Answered>;
  close(): void;
}
const [SERVING, NOT_SERVING, SERVICE_UNKNOWN] = [1, 2, 3];

/** The parser of @grpc/grpc-js itself, which its balancers use; its interface is not public. */
const { createMetricsReader } = createRequire(import.meta.url)('@grpc/grpc-js/build/src/orca.js') as {
  createMetricsReader: (
    listener: (report: {
      cpu_utilization: number;
      application_utilization: number;
      named_metrics: Record<string, number>;
    }) => void,
    previous: null,
  ) => (code: number, details: string, metadata: Metadata) => void;
};

@Injectable()
class Shelf {
  state: 'up' | 'degraded' | 'down' = 'up';
  isLive = true;
  isHanging = false;

  constructor(private readonly indicators: HealthIndicatorService) {}

  @HealthContributor()
  shelf() {
    const indicator = this.indicators.check('shelf');
    if (this.state === 'up') return indicator.up();
    return this.state === 'degraded' ? indicator.degraded('slow') : indicator.down('burnt');
  }

  @HealthContributor({ groups: ['liveness'] })
  heart() {
    const indicator = this.indicators.check('heart');
    return this.isLive ? indicator.up() : indicator.down('stopped');
  }
}

@Controller()
class ShelfController {
  constructor(private readonly shelf: Shelf) {}

  @GrpcMethod('Library', 'Find')
  async find(query: { title: string }) {
    if (this.shelf.isHanging) await new Promise(() => undefined);
    return { ...query, port: 0 };
  }
}

describe('gRPC servers', () => {
  let consul: TestConsul;
  const cleanUps: (() => unknown)[] = [];
  beforeAll(async () => {
    consul = await startTestConsul();
  });
  afterAll(() => consul.stop());
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  const start = async (
    options: Partial<ConsulModuleOptions>,
    server: Partial<GrpcOptions['options']> = {},
  ): Promise<{ app: INestMicroservice; port: number; logger: RecordingLogger }> => {
    const [port = 0] = await freePorts(1);
    const root = rootModule(
      [
        ConsulModule.forRoot({ agent: { url: consul.url }, health: { cache: 0 }, ...options }),
        GrpcDiscoveryModule as never,
      ],
      { controllers: [ShelfController], providers: [Shelf] },
    );
    const logger = new RecordingLogger();
    const app = await NestFactory.createMicroservice(root, {
      transport: Transport.GRPC,
      options: { url: `0.0.0.0:${port}`, package: 'library', protoPath: PROTO, ...server },
      logger,
    });
    await app.listen();
    cleanUps.push(() => app.close());
    if (options.service) await app.get(RegistrationService).whenRegistered();
    return { app, port, logger };
  };
  const healthOf = (port: number): HealthClient => {
    const client = new Health(`127.0.0.1:${port}`, credentials.createInsecure()) as unknown as HealthClient;
    cleanUps.push(() => client.close());
    return client;
  };
  const check = (client: HealthClient, service = ''): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      client.check({ service }, (error, answer) => (error ? reject(error) : resolve(answer?.status)));
    });
  const checksOf = async (name: string) => {
    const { body } = await consul.request('GET', `/v1/health/checks/${name}`);
    return body as { Status: string; Type?: string; Output: string; CheckID: string }[];
  };

  it('register with a check of the health service, which follows the readiness of the app', async () => {
    const { app, port } = await start({ service: { name: 'shelves' } });
    const [registered] = await checksOf('shelves');
    expect(registered).toMatchObject({ Type: 'grpc', Status: 'passing' });
    const client = healthOf(port);
    expect(await check(client)).toBe(SERVING);
    app.get(Shelf).state = 'degraded';
    expect(await check(client)).toBe(SERVING);
    app.get(Shelf).state = 'down';
    expect(await check(client)).toBe(NOT_SERVING);
  });

  it('are seen by the agent to fail, and to be well again', async () => {
    const { app } = await start({
      service: { name: 'watched-shelves', check: { type: 'grpc', interval: '1s' } },
    });
    const status = async () => (await checksOf('watched-shelves'))[0]?.Status;
    app.get(Shelf).state = 'down';
    await eventually(async () => (await status()) === 'critical');
    app.get(Shelf).state = 'up';
    await eventually(async () => (await status()) === 'passing');
  });

  it('answer for each of their services and for the groups of their health; another name is unknown', async () => {
    const { app, port } = await start({});
    const client = healthOf(port);
    const answers = async () =>
      Promise.all(['library.Library', 'readiness', 'liveness'].map((service) => check(client, service)));
    expect(await answers()).toEqual([SERVING, SERVING, SERVING]);
    app.get(Shelf).isLive = false;
    expect(await answers()).toEqual([SERVING, SERVING, NOT_SERVING]);
    app.get(Shelf).state = 'down';
    app.get(Shelf).isLive = true;
    expect(await answers()).toEqual([NOT_SERVING, NOT_SERVING, SERVING]);
    await expect(check(client, 'library.Museum')).rejects.toMatchObject({
      code: status.NOT_FOUND,
      details: expect.stringMatching(/unknown service "library.Museum": .*library.Library/) as unknown,
    });
  });

  it('tell those that watch of each change, and let them go when they end', async () => {
    const { app, port } = await start({});
    const client = healthOf(port);
    const seen: number[] = [];
    const unknown: number[] = [];
    let isOver = false;
    client
      .watch({ service: 'museum' })
      .on('data', (answer: Answered) => unknown.push(answer.status))
      .on('error', () => undefined);
    client
      .watch({ service: '' })
      .on('data', (answer: Answered) => seen.push(answer.status))
      .on('end', () => (isOver = true))
      .on('error', () => undefined);
    await eventually(() => seen.length === 1 && unknown.length === 1);
    app.get(Shelf).state = 'down';
    await eventually(() => seen.length === 2);
    app.get(Shelf).state = 'up';
    await eventually(() => seen.length === 3);
    expect(unknown).toEqual([SERVICE_UNKNOWN]);
    await app.close();
    await eventually(() => isOver);
    expect(seen).toEqual([SERVING, NOT_SERVING, SERVING, NOT_SERVING]);
  });

  it('keep a health service of their own, however it came there', async () => {
    const own: UntypedServiceImplementation = {
      Check: (_call: unknown, respond: (error: null, answer: object) => void) => respond(null, { status: 2 }),
      Watch: () => undefined,
    };
    const { port } = await start(
      {},
      {
        onLoadPackageDefinition: (_definition: unknown, server: { addService(...args: unknown[]): void }) =>
          server.addService(Health.service, own),
      },
    );
    expect(await check(healthOf(port))).toBe(NOT_SERVING);
  });

  it('share their options with another server: neither changes them', async () => {
    const shared = Object.freeze({ channelOptions: Object.freeze({}) });
    const one = await start({}, shared);
    const two = await start({}, shared);
    expect(await check(healthOf(one.port))).toBe(SERVING);
    expect(await check(healthOf(two.port))).toBe(SERVING);
  });

  it('with TLS register as secure, and are checked with TLS', async () => {
    const certificates = await TestCertificates.create('localhost');
    cleanUps.push(() => certificates.remove());
    const read = (name: 'server' | 'server-key'): Buffer => readFileSync(certificates.file(name));
    const own = [{ private_key: read('server-key'), cert_chain: read('server') }];
    await start(
      {
        service: {
          name: 'vaults',
          check: { type: 'grpc', interval: '1s', useTls: true, tlsSkipVerify: true, status: 'critical' },
        },
      },
      { credentials: ServerCredentials.createSsl(null, own) },
    );
    const { app } = await start({});
    await eventually(async () => (await checksOf('vaults'))[0]?.Status === 'passing');
    const [instance] = await app.get(DiscoveryService).getInstances('vaults');
    expect(instance).toMatchObject({ secure: true });
    const mutual = ServerCredentials.createSsl(readFileSync(certificates.file('ca')), own, true);
    const { app: guarded } = await start(
      { service: { name: 'guarded', check: { type: 'ttl' } } },
      { credentials: mutual },
    );
    expect(await guarded.get(DiscoveryService).getInstances('guarded')).toMatchObject([{ secure: true }]);
  });

  interface FindClient {
    find(query: object, callback: (error: ServiceError | null) => void): ClientUnaryCall;
  }
  const find = (port: number): { call: ClientUnaryCall; ended: Promise<StatusObject> } => {
    const client = new Library(`127.0.0.1:${port}`, credentials.createInsecure());
    cleanUps.push(() => client.close());
    const call = (client as unknown as FindClient).find({ title: 'Dune' }, () => undefined);
    return { call, ended: new Promise((resolve) => call.on('status', resolve)) };
  };
  type Report = Parameters<Parameters<typeof createMetricsReader>[0]>[0];
  const reportOf = ({ code, details, metadata }: StatusObject): Report | undefined => {
    let found: Report | undefined;
    // Its own metadata, also where the client is of another version.
    const trailers = newest.Metadata.fromHttp2Headers(metadata.toHttp2Headers() as IncomingHttpHeaders);
    createMetricsReader((report) => (found = report), null)(code, details, trailers);
    return found;
  };

  it('report their load in the trailers, which the parser of @grpc/grpc-js reads', async () => {
    const { app, port } = await start({});
    app.get(LoadReporter).metric('shelves_left', () => 12);
    expect(reportOf(await find(port).ended)).toMatchObject({
      named_metrics: { in_flight: 0, shelves_left: 12 },
    });
    const shelf = app.get(Shelf);
    shelf.isHanging = true;
    const hanging = [find(port), find(port)];
    await eventually(() => app.get(LoadReporter).report().named.in_flight === 2);
    shelf.isHanging = false;
    const report = reportOf(await find(port).ended);
    expect(report?.named_metrics.in_flight).toBe(2);
    expect(report?.application_utilization).toBeGreaterThan(0);
    expect(report?.application_utilization).toBeLessThanOrEqual(1);
    // The health service is no load: a check comes every few seconds.
    const client = healthOf(port);
    client
      .watch({ service: '' })
      .on('data', () => undefined)
      .on('error', () => undefined);
    await check(client);
    expect(app.get(LoadReporter).report().named.in_flight).toBe(2);
    // What its caller has given up is under way no more.
    for (const { call } of hanging) call.cancel();
    await eventually(() => app.get(LoadReporter).report().named.in_flight === 0);
  });

  it('say nothing of their load where an option says so', async () => {
    const { port } = await start({ loadReports: 'none' });
    expect(reportOf(await find(port).ended)).toBeUndefined();
  });
});
