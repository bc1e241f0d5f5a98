// A replica with a job at every second, for the leader; it tells its parent which ticks it ran, and which were missed.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Cron, ScheduleModule } from '@nestjs/schedule';
import { ConsulModule, DiscoveryEvents, LeaderElections, OnlyLeader } from '@rookery/consul';

const { options, key } = JSON.parse(process.env.CRON_REPLICA ?? '{}');
/** What was told last has been sent: `process.exit` would drop it. */
let sent = Promise.resolve();
const report = (event) => {
  if (process.connected) sent = new Promise((resolve) => process.send(event, () => resolve()));
};

class Job {
  run() {
    // The tick: its timer may be a few milliseconds early, and on a busy machine most of a second late.
    report({ type: 'ran', tick: Math.floor((Date.now() + 50) / 1_000), pid: process.pid });
  }
}
const method = Object.getOwnPropertyDescriptor(Job.prototype, 'run');
OnlyLeader(key)(Job.prototype, 'run', method);
Cron('* * * * * *')(Job.prototype, 'run', method);
Object.defineProperty(Job.prototype, 'run', method);

class ReplicaModule {}
Module({ imports: [ConsulModule.forRoot(options), ScheduleModule.forRoot()], providers: [Job] })(
  ReplicaModule,
);
const app = await NestFactory.createApplicationContext(ReplicaModule, {
  abortOnError: false,
  logger: ['warn', 'error'],
});
app.get(DiscoveryEvents).events$.subscribe((event) => {
  if (event.type === 'schedule.missed') report({ type: 'missed', ticks: event.ticks, reason: event.reason });
});
process.on('SIGTERM', async () => {
  await app.close();
  await sent;
  process.exit(0);
});
app
  .get(LeaderElections)
  .of(key)
  .leader$.subscribe((leader) => report({ type: 'leader', pid: leader?.pid }));
