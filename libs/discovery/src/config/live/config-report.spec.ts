import { ConsoleLogger, Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, RecordingLogger } from '@rookery/test-support';
import { ConfigReport, type ConfigEvent } from './config-report.js';

const PROBLEM = { key: 'config/shop/limits', reason: 'it is no number' };

describe('ConfigReport', () => {
  let logger: RecordingLogger;
  beforeEach(() => {
    logger = new RecordingLogger();
    Logger.overrideLogger(logger);
  });
  afterEach(() => {
    Logger.overrideLogger(new ConsoleLogger());
  });

  it('tells an app what was wrong before there was one, once', () => {
    const report = new ConfigReport(new FakeClock());
    report.checked([PROBLEM]);
    const events: ConfigEvent[] = [];
    report.events$.subscribe((event) => events.push(event));
    report.checked([PROBLEM]);
    expect(events).toEqual([{ type: 'config.invalid', ...PROBLEM }]);
    expect(logger.lines).toHaveLength(1);
    report.checked([]);
    expect(events.slice(1)).toEqual([{ type: 'config.valid', key: PROBLEM.key }]);
    const late: ConfigEvent[] = [];
    report.events$.subscribe((event) => late.push(event));
    expect(late).toEqual([]);
  });
});
