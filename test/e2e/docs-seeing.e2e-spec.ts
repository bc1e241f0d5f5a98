/* eslint-disable jest/no-export -- the documentation shows these files as they are */
// observing.md: events
// ejections.ts
import { Injectable } from '@nestjs/common';
import { OnDiscoveryEvent, type EventOf } from '@rookery/consul';

@Injectable()
export class Ejections {
  readonly count = new Map<string, number>();

  @OnDiscoveryEvent('instance.ejected') // several types, a family such as 'lock.*', or '*'
  onEjection({ service }: EventOf<'instance.ejected'>): void {
    this.count.set(service, (this.count.get(service) ?? 0) + 1);
  }
}
// observing.md: end
// observing.md: seeing
// app.module.ts
import { Module } from '@nestjs/common';
import { alertmanagerSink, AlertsModule, ConsulModule, webhookSink } from '@rookery/consul';
import { DashboardModule } from '@rookery/dashboard';

@Module({
  imports: [
    ConsulModule.forRoot({
      service: { name: 'storefront' },
      events: { log: true, linesPerMinute: 30, history: 1_000 },
      telemetry: { spans: true, metrics: true, attempts: 'auto' },
    }),
    DashboardModule.forRoot({ path: '/rookery', operations: false, scope: 'app' }),
    AlertsModule.forRoot({
      rules: [
        { type: 'instances', service: 'inventory', atLeast: 2, for: '30s' },
        { type: 'flapping', changes: 6, within: '10m' },
        { type: 'never-passed', for: '2m' },
        { type: 'errors', above: 0.05, within: '1m', for: '1m' },
        { type: 'latency', service: 'inventory', above: '500ms', quantile: 0.99 },
        { type: 'list-age', olderThan: '5m' },
        { type: 'registration' },
        { type: 'config' },
        { type: 'lock' },
      ],
      sinks: [
        alertmanagerSink({ url: 'http://alertmanager:9093' }),
        webhookSink({
          url: process.env.SLACK_WEBHOOK ?? 'https://hooks.slack.com/services/…',
          format: 'slack',
        }),
      ],
    }),
  ],
  providers: [Ejections],
})
export class AppModule {}
// observing.md: end
import { Test } from '@nestjs/testing';
import { describe, expect, it } from '@jest/globals';
import { DiscoveryEvents } from '@rookery/consul';
import { readPage, RecordingLogger, shownExamples } from '@rookery/test-support';

describe('the files that the documentation shows on seeing what happens', () => {
  it.each(shownExamples(import.meta.url))(
    'are on their page, word for word: $page, $name',
    ({ page, text }) => {
      expect(readPage(page)).toContain(text);
    },
  );

  it('are those of an app that starts', async () => {
    const app = await Test.createTestingModule({ imports: [AppModule] })
      .setLogger(new RecordingLogger())
      .compile();
    await app.init();
    try {
      app.get(DiscoveryEvents).emit({
        type: 'instance.ejected',
        service: 'a',
        id: 'a-1',
        address: 'x:1',
        reason: '',
        durationMs: 1,
      });
      expect(app.get(Ejections).count.get('a')).toBe(1);
    } finally {
      await app.close();
    }
  });
});
