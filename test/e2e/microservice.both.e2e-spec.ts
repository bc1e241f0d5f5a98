import { fileURLToPath } from 'node:url';
import { Controller, Module, type DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { GrpcMethod, MessagePattern, Transport } from '@nestjs/microservices';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ConsulModule, DiscoveryService, RegistrationService, type ServiceOptions } from '@rookery/consul';
import { TcpClients, TcpDiscoveryModule } from '@rookery/microservices/tcp';
import {
  eventually,
  freePorts,
  RecordingLogger,
  startTestConsul,
  TestCertificates,
  type TestConsul,
} from '@rookery/test-support';
import { firstValueFrom } from 'rxjs';

const PROTO = fileURLToPath(new URL('./books.proto', import.meta.url));

@Controller()
class BooksController {
  @MessagePattern('count')
  count(): number {
    return 7;
  }

  @GrpcMethod('Books', 'Count')
  grpcCount(): { value: number } {
    return { value: 7 };
  }
}

@Module({})
class RootModule {}

interface Seen {
  readonly port: number;
  readonly checks: readonly string[];
}

describe('microservices', () => {
  let consul: TestConsul;
  beforeAll(async () => {
    consul = await startTestConsul();
  });
  afterAll(() => consul.stop());

  const moduleOf = (service: ServiceOptions | ServiceOptions[]): DynamicModule => ({
    module: RootModule,
    imports: [ConsulModule.forRoot({ agent: { url: consul.url }, service })],
    controllers: [BooksController],
  });
  const seen = async (name: string): Promise<Seen | undefined> => {
    const { body } = await consul.request('GET', `/v1/health/service/${name}?passing`);
    const [entry] = body as { Service: { Port: number }; Checks: { CheckID: string; Type?: string }[] }[];
    if (!entry) return undefined;
    const own = entry.Checks.filter(({ CheckID }) => CheckID !== 'serfHealth');
    return { port: entry.Service.Port, checks: own.map(({ Type = '' }) => Type) };
  };

  it('an app with HTTP and TCP registers both, each with its port and its check', async () => {
    const [port = 0] = await freePorts(1);
    const logger = new RecordingLogger();
    const services: ServiceOptions[] = [
      { name: 'hybrid' },
      { name: 'hybrid-tcp', transport: 'tcp', check: { type: 'tcp', interval: '1s' } },
    ];
    const app = await NestFactory.create(moduleOf(services), { logger, abortOnError: false });
    app.connectMicroservice({ transport: Transport.TCP, options: { host: '0.0.0.0', port } });
    await app.startAllMicroservices();
    await app.listen(0);
    await app.get(RegistrationService).whenRegistered();
    const http = (app.getHttpServer() as { address(): { port: number } }).address().port;
    expect(await eventually(() => seen('hybrid'))).toEqual({ port: http, checks: ['http'] });
    expect(await eventually(() => seen('hybrid-tcp'))).toEqual({ port, checks: ['tcp'] });
    const { instances } = app.get(RegistrationService).status;
    expect(instances.map(({ service, state }) => `${service} ${state}`)).toEqual([
      'hybrid registered',
      'hybrid-tcp registered',
    ]);
    await app.close();
    expect(await seen('hybrid')).toBeUndefined();
    expect(await seen('hybrid-tcp')).toBeUndefined();
  });

  it('an app with only TCP registers with heartbeats, and deregisters before its server is closed', async () => {
    const [port = 0] = await freePorts(1);
    const logger = new RecordingLogger();
    const app = await NestFactory.createMicroservice(moduleOf({ name: 'tcp-only' }), {
      transport: Transport.TCP,
      options: { host: '0.0.0.0', port },
      logger,
    });
    await app.listen();
    await app.get(RegistrationService).whenRegistered();
    expect(await eventually(() => seen('tcp-only'))).toEqual({ port, checks: ['ttl'] });
    await app.close();
    expect(await seen('tcp-only')).toBeUndefined();
    expect(logger.matching(/"tcp-only-.*" is deregistered/)).toHaveLength(1);
  });

  it('a TCP server with TLS registers as secure, and is called with TLS', async () => {
    const certificates = await TestCertificates.create('localhost');
    const [port = 0] = await freePorts(1);
    const app = await NestFactory.createMicroservice(
      moduleOf({ name: 'tcp-tls', address: 'localhost', check: { type: 'tcp', interval: '1s' } }),
      {
        transport: Transport.TCP,
        options: {
          ...{ host: '0.0.0.0', port },
          tlsOptions: { cert: certificates.pem('server'), key: certificates.pem('server-key') },
        },
        logger: new RecordingLogger(),
      },
    );
    await app.listen();
    await app.get(RegistrationService).whenRegistered();
    expect(await eventually(() => seen('tcp-tls'))).toEqual({ port, checks: ['tcp'] });
    const consulModule = ConsulModule.forRoot({
      agent: { url: consul.url },
      clients: { tls: { caFile: certificates.file('ca') } },
    });
    const caller = await NestFactory.createApplicationContext(
      { module: RootModule, imports: [consulModule, TcpDiscoveryModule] },
      { logger: new RecordingLogger() },
    );
    expect(await caller.get(DiscoveryService).getInstances('tcp-tls')).toMatchObject([
      { port, secure: true },
    ]);
    const client = caller.get(TcpClients).create({ service: 'tcp-tls' });
    expect(await firstValueFrom(client.send<number>('count', {}))).toBe(7);
    await caller.close();
    await app.close();
    certificates.remove();
  });

  it('a gRPC server registers as soon as it answers', async () => {
    const [port = 0] = await freePorts(1);
    const app = await NestFactory.createMicroservice(
      moduleOf({ name: 'grpc-only', check: { type: 'tcp', interval: '1s' } }),
      {
        transport: Transport.GRPC,
        options: { url: `0.0.0.0:${port}`, package: 'books', protoPath: PROTO },
        logger: new RecordingLogger(),
      },
    );
    await app.listen();
    await app.get(RegistrationService).whenRegistered();
    expect(await eventually(() => seen('grpc-only'))).toEqual({ port, checks: ['tcp'] });
    await app.close();
    expect(await seen('grpc-only')).toBeUndefined();
  });

  it('a service without a server is reported, and nothing hangs', async () => {
    const logger = new RecordingLogger();
    const app = await NestFactory.create(moduleOf({ name: 'missing', transport: 'grpc' }), { logger });
    await app.listen(0);
    expect(
      logger.matching(/"missing" is not registered: this app has no microservice with transport GRPC/),
    ).toHaveLength(1);
    await expect(app.get(RegistrationService).whenRegistered()).rejects.toThrow(
      /nothing to register. "missing": this app has no microservice with transport GRPC/,
    );
    await app.close();
  });
});
