import {
  Module,
  type DynamicModule,
  type INestApplication,
  type NestApplicationOptions,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { RecordingLogger } from '@rookery/test-support';

export type Platform = 'express' | 'fastify';
export const PLATFORMS: readonly Platform[] = ['express', 'fastify'];

export interface TestApp {
  readonly app: INestApplication;
  readonly logger: RecordingLogger;
  readonly url: string;
  readonly port: number;
}

type HttpsOptions = NonNullable<NestApplicationOptions['httpsOptions']>;

@Module({})
class RootModule {}

/** A root module with these imports, as an application would write it. */
export function rootModule(
  imports: DynamicModule['imports'],
  rest: Pick<DynamicModule, 'providers' | 'controllers'> = {},
): DynamicModule {
  return { module: RootModule, ...(imports ? { imports } : {}), ...rest };
}

/** Creates an app that listens on a free port, with a logger that records everything. */
export async function startApp(
  module: Type | DynamicModule,
  { platform = 'express', host, https }: { platform?: Platform; host?: string; https?: HttpsOptions } = {},
): Promise<TestApp> {
  const { app, logger } = await createApp(module, platform, https);
  if (host === undefined) await app.listen(0);
  else await app.listen(0, host);
  const { port } = (app.getHttpServer() as { address(): { port: number } }).address();
  return { app, logger, port, url: `${https ? 'https' : 'http'}://127.0.0.1:${port}` };
}

export async function createApp(
  module: Type | DynamicModule,
  platform: Platform = 'express',
  https?: HttpsOptions,
): Promise<{ app: INestApplication; logger: RecordingLogger }> {
  const logger = new RecordingLogger();
  // A test can observe a rejection, but not the end of its process.
  const options = { logger, abortOnError: false };
  const app =
    platform === 'express'
      ? await NestFactory.create(module, { ...options, ...(https ? { httpsOptions: https } : {}) })
      : await NestFactory.create(module, fastify(https), options);
  return { app, logger };
}

function fastify(https: HttpsOptions | undefined): FastifyAdapter {
  return https ? new FastifyAdapter({ https }) : new FastifyAdapter();
}
