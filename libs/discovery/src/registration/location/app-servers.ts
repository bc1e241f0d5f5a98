import { once } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import { Server as NetServer } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import type { AbstractHttpAdapter, HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { firstValueFrom, type Observable } from 'rxjs';
import { probeTcp } from '../../registry/tcp-probe.js';
import { speaksTls } from '../../registry/tls-probe.js';
import { delay, type Clock } from '../../timing/clock.js';
import { withAbort } from '../../timing/with-timeout.js';
import type { ServiceOptions } from '../options/service-options.js';

/** A server of the app that listens. */
export interface ListeningServer {
  /** Undefined: unknown. */
  readonly host: string | undefined;
  readonly port: number;
  readonly secure: boolean;
  /** The HTTP server, which has the health endpoints. */
  readonly http: HttpServer | undefined;
  /** Emits each connection; undefined: the server does not. */
  readonly connections: NetServer | undefined;
  /** It answers the standard health service of gRPC. */
  readonly hasGrpcHealth: boolean;
}

/** A server of `@nestjs/microservices`; typed here, since the package is the application's choice. */
export interface RpcTarget {
  readonly transportId?: number | symbol;
  readonly status?: Observable<string>;
  readonly url?: string;
  unwrap?(): unknown;
  close(): unknown;
}

/** What a package for a transport adds to the app's servers of it. */
export interface MicroserviceSupport {
  /** Called once with each microservice of the app, before it listens. */
  prepare(target: RpcTarget): void;
  /** Whether a server that listens answers the standard health service of gRPC. */
  hasGrpcHealth(target: RpcTarget): boolean;
}

const TRANSPORT_IDS = { tcp: 0, grpc: 4 } as const;
const GRPC_POLL_MS = 100;

/** Finds the app's servers: Nest's HTTP adapter, and the microservices that are connected to the app. */
export class AppServers {
  readonly #host: HttpAdapterHost<AbstractHttpAdapter<HttpServer>>;
  readonly #clock: Clock;
  readonly #targets: RpcTarget[] = [];
  readonly #supports: MicroserviceSupport[] = [];

  constructor(
    host: HttpAdapterHost<AbstractHttpAdapter<HttpServer>>,
    modules: ModulesContainer,
    clock: Clock,
  ) {
    this.#host = host;
    this.#clock = clock;
    // Nest before 11.1 has no such registry. It replays, so that microservices connected before are here at once.
    const registry = (modules as Partial<ModulesContainer>).getRpcTargetRegistry?.bind(modules);
    registry?.<RpcTarget>().subscribe((target) => {
      this.#targets.push(target);
      for (const support of this.#supports) support.prepare(target);
    });
  }

  get adapter(): AbstractHttpAdapter<HttpServer> | undefined {
    // Null in an application context and in a microservice, against its type.
    return (this.#host.httpAdapter as AbstractHttpAdapter<HttpServer> | null) ?? undefined;
  }

  get microservices(): readonly RpcTarget[] {
    return this.#targets;
  }

  addSupport(support: MicroserviceSupport): void {
    this.#supports.push(support);
    for (const target of this.#targets) support.prepare(target);
  }

  /** Why the app has no server for a service; undefined: it has one. */
  missingServer({ transport }: ServiceOptions): string | undefined {
    if (transport === undefined || transport === 'http') {
      if (this.adapter) return undefined;
      if (transport === 'http') return 'this app has no HTTP server';
    }
    if (this.#target(transport)) return undefined;
    return transport === undefined
      ? 'this app has no HTTP server, and no microservice with transport TCP or gRPC'
      : `this app has no microservice with transport ${transport.toUpperCase()}`;
  }

  /** The HTTP server of the service, which may not listen yet; undefined: the service is another server's. */
  httpServer({ transport }: ServiceOptions): HttpServer | undefined {
    return transport === undefined || transport === 'http' ? this.adapter?.getHttpServer() : undefined;
  }

  /** Resolves when the service's server listens; undefined when its port is unknown. */
  async untilListening(options: ServiceOptions, signal: AbortSignal): Promise<ListeningServer | undefined> {
    if (this.httpServer(options)) return this.#untilHttpListens(signal);
    const target = this.#target(options.transport);
    if (!target) return undefined;
    return target.transportId === TRANSPORT_IDS.grpc
      ? this.#untilGrpcListens(target, options.port, signal)
      : untilTcpListens(target, signal);
  }

  async #untilHttpListens(signal: AbortSignal): Promise<ListeningServer | undefined> {
    // It emits once and completes: a late subscriber receives only the completion.
    if (!this.#host.listening)
      await withAbort(firstValueFrom(this.#host.listen$, { defaultValue: undefined }), signal);
    const server = this.adapter?.getHttpServer();
    const bound = server?.address();
    if (!server || typeof bound !== 'object' || bound === null) return undefined;
    return {
      host: bound.address,
      port: bound.port,
      secure: server instanceof TlsServer,
      http: server,
      connections: server,
      hasGrpcHealth: false,
    };
  }

  /** A gRPC server exposes only the URL it was given: it listens when that accepts connections. */
  async #untilGrpcListens(
    target: RpcTarget,
    optionPort: number | undefined,
    signal: AbortSignal,
  ): Promise<ListeningServer | undefined> {
    const [, host = '', digits = ''] = /^(.*):(\d+)$/.exec(target.url ?? '') ?? [];
    const port = Number(digits) || optionPort;
    if (port === undefined) return undefined;
    const bound = host.replace(/^\[|\]$/g, '');
    const local = bound === '' || bound === '0.0.0.0' || bound === '::' ? '127.0.0.1' : bound;
    while ((await probeTcp(local, port)).result !== 'reachable')
      await delay(this.#clock, GRPC_POLL_MS, signal);
    return {
      host: bound,
      port,
      // Its credentials are hidden in an object of @grpc/grpc-js.
      secure: await speaksTls(local, port, ['h2']),
      http: undefined,
      connections: undefined,
      hasGrpcHealth: this.#supports.some((support) => support.hasGrpcHealth(target)),
    };
  }

  #target(transport: ServiceOptions['transport']): RpcTarget | undefined {
    const wanted = transport === 'tcp' || transport === 'grpc' ? [transport] : (['tcp', 'grpc'] as const);
    const ids = wanted.map((name) => TRANSPORT_IDS[name]);
    return this.#targets.find(({ transportId }) => ids.some((id) => id === transportId));
  }
}

async function untilTcpListens(target: RpcTarget, signal: AbortSignal): Promise<ListeningServer | undefined> {
  const server = target.unwrap?.();
  if (!(server instanceof NetServer)) return undefined;
  if (!server.listening) await once(server, 'listening', { signal });
  const bound = server.address();
  if (typeof bound !== 'object' || bound === null) return undefined;
  const secure = server instanceof TlsServer;
  return {
    host: bound.address,
    port: bound.port,
    secure,
    http: undefined,
    connections: server,
    hasGrpcHealth: false,
  };
}
