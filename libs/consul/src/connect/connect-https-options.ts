/** For the `httpsOptions` of Nest. */
export interface ConnectHttpsOptions {
  readonly requestCert: true;
  readonly rejectUnauthorized: false;
}

/**
 * The options of an HTTPS server that `connect.native` gives its certificate and guards: for `NestFactory.create`, and for the `FastifyAdapter`. Until it
 * has the certificate it accepts no connection.
 *
 * @example
 * ```ts
 * const app = await NestFactory.create(AppModule, { httpsOptions: connectHttpsOptions() });
 * ```
 */
export function connectHttpsOptions(): ConnectHttpsOptions {
  // What is not authorized is refused by the guard, which may leave the health endpoints to the agent.
  return { requestCert: true, rejectUnauthorized: false };
}
