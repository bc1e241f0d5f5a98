import { Inject, Logger, Module, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost, type AbstractHttpAdapter } from '@nestjs/core';
import type { HealthIndicatorResult } from '@nestjs/terminus';
import {
  DiscoverySections,
  errorMessage,
  HealthContributors,
  systemClock,
  withTimeout,
} from '@rookery/discovery/adapter';
import type { Server } from 'node:http';
import { ConsulConnect } from './consul-connect.js';

/** How long the start waits for the certificate. */
const START_MS = 5_000;
const NO_CERTIFICATE =
  'Consul has given no certificate yet: the app starts, and accepts no connection until it has one';

/** Begins and ends what `ConsulConnect` does for the app. */
@Module({})
export class ConnectModule implements OnModuleInit, OnApplicationShutdown {
  readonly #logger = new Logger(ConsulConnect.name);

  constructor(
    @Inject(ConsulConnect) private readonly connect: ConsulConnect | undefined,
    private readonly host: HttpAdapterHost<AbstractHttpAdapter<Server>>,
    private readonly health: HealthContributors,
    private readonly sections: DiscoverySections,
  ) {}

  async onModuleInit(): Promise<void> {
    const { connect } = this;
    if (!connect) return;
    // Null in an application context and in a microservice, against its type.
    const server = (this.host.httpAdapter as AbstractHttpAdapter<Server> | null)?.getHttpServer();
    if (server) connect.guard(server);
    this.health.add({
      name: 'connect',
      groups: ['readiness'],
      timeout: undefined,
      run: () => healthOf(connect),
    });
    this.sections.add('connect', () => connect.explain());
    connect.start();
    // What comes after it may call others, and the server must not listen without a certificate if it can have one.
    const late = (): Error => new Error(NO_CERTIFICATE);
    await withTimeout(systemClock, START_MS, connect.ready, late).catch((error: unknown) =>
      this.#logger.warn(errorMessage(error)),
    );
  }

  onApplicationShutdown(): void {
    this.connect?.close();
  }
}

function healthOf({ identity, isReady }: ConsulConnect): HealthIndicatorResult {
  if (isReady) return { connect: { status: 'up' } };
  const message = identity.isComplete
    ? identity.isValid
      ? 'the intentions of Consul are not known yet'
      : 'the certificate of Consul Connect has expired'
    : 'there is no certificate of Consul Connect yet';
  return { connect: { status: 'down', message } };
}
