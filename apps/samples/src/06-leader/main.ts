import 'reflect-metadata';
import { Controller, Get, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Cron, ScheduleModule } from '@nestjs/schedule';
import { ConsulModule, currentLock, LeaderElections, OnlyLeader } from '@rookery/consul';

@Injectable()
class Nightly {
  runs = 0;

  /** Each second in place of each night. Of all instances only the leader's is run. */
  @Cron('* * * * * *')
  @OnlyLeader('leaders/nightly')
  archive(): void {
    this.runs++;
    console.log(`archiving, with fence ${currentLock()?.fence}`);
  }
}

@Controller()
class AppController {
  constructor(
    private readonly nightly: Nightly,
    private readonly elections: LeaderElections,
  ) {}

  @Get('state')
  state(): { isLeader: boolean; hasRun: boolean } {
    return {
      isLeader: this.elections.of('leaders/nightly').isLeader,
      hasRun: this.nightly.runs > 0,
    };
  }
}

@Module({
  imports: [ScheduleModule.forRoot(), ConsulModule.forRoot({ service: { name: 'archive' } })],
  providers: [Nightly],
  controllers: [AppController],
})
class AppModule {}

const app = await NestFactory.create(AppModule);
app.enableShutdownHooks();
await app.listen(process.env.PORT ?? 3000);
console.log(`listening at ${await app.getUrl()}`);
