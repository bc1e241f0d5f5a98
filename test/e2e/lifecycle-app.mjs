// An app in a separate process, for lifecycle.both.e2e-spec.ts; it runs on the built packages, as a user's does.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ConsulModule, DiscoveryService } from '@rookery/consul';

for (const event of ['unhandledRejection', 'uncaughtException']) {
  process.on(event, (error) => {
    console.error(event, error);
    process.exit(99);
  });
}

if (process.env.SIGNAL_EXIT === 'yes') {
  // As version 4 of the package does: it marks the process, and does nothing while there are other listeners.
  process[Symbol.for('signal-exit emitter')] = { count: 1 };
  const listener = () => {
    if (process.listeners('SIGTERM').length > 1) return;
    process.removeListener('SIGTERM', listener);
    process.kill(process.pid, 'SIGTERM');
  };
  process.on('SIGTERM', listener);
}

class AppModule {}
Module({ imports: [ConsulModule.forRoot({ service: { name: 'living' } })] })(AppModule);

const app = await NestFactory.create(AppModule);
if (process.env.HOOKS !== 'no') app.enableShutdownHooks();
const discovery = app.get(DiscoveryService);
app
  .getHttpAdapter()
  .get('/instances', async (_, response) => response.json(await discovery.getInstances('living')));
app.getHttpAdapter().get('/slow', (_, response) => setTimeout(() => response.json({}), 1_000));
await app.listen(0);
console.log(`listening on ${app.getHttpServer().address().port}`);

if (process.env.APPS === '2') {
  const second = await NestFactory.create(AppModule);
  await second.listen(0);
}

if (process.env.CALLS === 'yes') {
  setInterval(() => discovery.call('living', async () => 'answer').catch(() => undefined), 5);
}

if (process.env.CLOSE_AFTER_CALL === 'yes') {
  while ((await discovery.getInstances('living').catch(() => [])).length === 0) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await fetch(`http://127.0.0.1:${app.getHttpServer().address().port}/health`, {
    headers: { connection: 'close' },
  });
  await app.close();
  await new Promise((resolve) => setTimeout(resolve, 50)); // handles are listed until they are closed
  const open = process.getActiveResourcesInfo().filter((name) => name !== 'PipeWrap' && name !== 'TTYWrap');
  console.log('closed; still open:', open);
}
