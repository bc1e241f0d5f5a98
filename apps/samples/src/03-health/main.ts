import 'reflect-metadata';
import { Controller, Injectable, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { ConsulModule, HealthContributor } from '@rookery/consul';

@Injectable()
class Database {
  isReachable = true;

  constructor(private readonly indicators: HealthIndicatorService) {}

  @HealthContributor({ name: 'database' })
  check(): HealthIndicatorResult {
    if (!this.isReachable) throw new Error('connection refused');
    return this.indicators.check('database').up();
  }
}

@Controller('database')
class DatabaseController {
  constructor(private readonly database: Database) {}

  @Post('stop')
  stop(): void {
    this.database.isReachable = false;
  }

  @Post('start')
  start(): void {
    this.database.isReachable = true;
  }
}

@Module({
  imports: [
    ConsulModule.forRoot({
      // Every second in place of every ten, to see it sooner; and what is told is not kept.
      service: { name: 'healthy', check: { type: 'http', interval: '1s' } },
      health: { cache: 0 },
    }),
  ],
  providers: [Database],
  controllers: [DatabaseController],
})
class AppModule {}

const app = await NestFactory.create(AppModule);
app.enableShutdownHooks();
await app.listen(process.env.PORT ?? 3000);
console.log(`listening at ${await app.getUrl()}`);
