import { describe, expect, it } from '@jest/globals';
import { RecordingLogger } from '@rookery/test-support';
import { DiscoveryError } from '../../errors/discovery-error.js';
import { OutageLog } from './outage-log.js';

const unreachable = new DiscoveryError('RK_REGISTRY_UNREACHABLE', 'refused');

describe('OutageLog', () => {
  it('logs an outage of many watches once, and its end once', () => {
    const logger = new RecordingLogger();
    const outages = new OutageLog(logger, 'the registry');
    for (const watcher of ['a', 'b', 'c']) {
      outages.failed(watcher, unreachable, `cannot watch ${watcher}`);
      outages.failed(watcher, unreachable, `cannot watch ${watcher}`);
    }
    expect(logger.lines).toEqual(['warn cannot watch a', 'debug cannot watch b', 'debug cannot watch c']);
    for (const watcher of ['a', 'b', 'c']) outages.recovered(watcher);
    expect(logger.lines.slice(3)).toEqual(['log the registry reachable again, all watches are current']);
    outages.recovered('a');
    expect(logger.lines).toHaveLength(4);
  });

  it('does not log the end of an outage when its last watch only stops', () => {
    const logger = new RecordingLogger();
    const outages = new OutageLog(logger, 'the registry');
    outages.failed('a', unreachable, 'cannot watch a');
    outages.stopped('a');
    expect(logger.lines).toEqual(['warn cannot watch a']);
  });

  it('is not kept open by a watch that the recovered registry refuses', () => {
    const logger = new RecordingLogger();
    const outages = new OutageLog(logger, 'the registry');
    const refused = new DiscoveryError('RK_REGISTRY_BAD_REQUEST', 'a bad filter');
    for (const watcher of ['good', 'bad']) outages.failed(watcher, unreachable, `cannot watch ${watcher}`);
    outages.failed('bad', refused, 'refused');
    outages.recovered('good');
    expect(logger.matching(/^log .* reachable again/)).toHaveLength(1);
    outages.failed('bad', unreachable, 'away again');
    outages.failed('bad', refused, 'refused again');
    const end =
      'log the registry reachable again, all watches are current but 1, which fails for another reason';
    expect(logger.matching(/^log .* reachable again/)).toEqual([end, end]);
  });

  it('logs a new kind of outage although another watch never stops failing', () => {
    const logger = new RecordingLogger();
    const outages = new OutageLog(logger, 'the registry');
    outages.failed('bad filter', new DiscoveryError('RK_REGISTRY_BAD_REQUEST', 'no'), 'a bad filter');
    outages.failed('b', unreachable, 'an outage');
    outages.failed('c', new Error('surprise'), 'a surprise');
    expect(logger.lines).toEqual(['warn a bad filter', 'warn an outage', 'warn a surprise']);
  });
});
