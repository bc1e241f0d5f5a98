import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { settle } from '@rookery/test-support';
import { onShutdownSignal } from './shutdown-signals.js';

const SIGNAL_EXIT = Symbol.for('signal-exit emitter');

describe('onShutdownSignal', () => {
  const kill = process.kill.bind(process);
  const marked = process as unknown as Record<string | symbol, unknown>;
  let killed: unknown[];
  let releases: (() => void)[];
  let others: ((signal: string) => void)[];

  beforeEach(() => {
    killed = [];
    releases = [];
    others = [];
    // What ends a process would end that of the test.
    process.kill = (...args) => {
      killed.push(args);
      return true;
    };
  });
  afterEach(async () => {
    for (const release of releases) release();
    for (const other of others) process.removeListener('SIGTERM', other);
    await settle();
    process.kill = kill;
    marked[SIGNAL_EXIT] = undefined;
    marked.__signal_exit_emitter__ = undefined;
  });

  const app = (leave: () => Promise<void>): void => void releases.push(onShutdownSignal(leave));
  const addOther = (listener: () => void = () => undefined): void => {
    others.push(listener);
    process.on('SIGTERM', listener);
  };
  const before = { SIGTERM: process.listenerCount('SIGTERM'), SIGINT: process.listenerCount('SIGINT') };
  const added = (signal: 'SIGTERM' | 'SIGINT'): number => process.listenerCount(signal) - before[signal];

  it.each(['SIGTERM', 'SIGINT'] as const)('%s ends the process after every app has left', async (signal) => {
    const left: string[] = [];
    let end: () => void = () => undefined;
    app(async () => void left.push('one'));
    app(() => new Promise<void>((resolve) => (end = resolve)).then(() => void left.push('two')));
    expect(added(signal)).toBe(1);
    process.emit(signal, signal);
    await settle();
    expect([left, killed]).toEqual([['one'], []]);
    end();
    await settle();
    expect([left, killed]).toEqual([['one', 'two'], [[process.pid, signal]]]);
    expect([added('SIGTERM'), added('SIGINT')]).toEqual([0, 0]);
  });

  it('does not end it where another listener decides that', async () => {
    let left = 0;
    app(async () => {
      left++;
    });
    addOther();
    process.emit('SIGTERM', 'SIGTERM');
    await settle();
    expect([left, killed]).toEqual([1, []]);
  });

  it.each([SIGNAL_EXIT, '__signal_exit_emitter__'])(
    'does not count listeners of signal-exit, at %s',
    async (key) => {
      marked[key] = { count: 1 };
      app(async () => undefined);
      addOther();
      process.emit('SIGTERM', 'SIGTERM');
      await settle();
      expect(killed).toEqual([[process.pid, 'SIGTERM']]);
    },
  );

  it('leaves once, however many signals there are, and again in the next app', async () => {
    let left = 0;
    let end: () => void = () => undefined;
    app(() => {
      left++;
      return new Promise<void>((resolve) => (end = resolve));
    });
    process.emit('SIGTERM', 'SIGTERM');
    process.emit('SIGTERM', 'SIGTERM');
    process.emit('SIGINT', 'SIGINT');
    await settle();
    end();
    await settle();
    expect([left, killed.length]).toEqual([1, 1]);
    app(async () => {
      left++;
    });
    process.emit('SIGINT', 'SIGINT');
    await settle();
    expect([left, killed.length]).toEqual([2, 2]);
  });

  it('runs before a listener that is there once, and listens no more when no app is left', () => {
    addOther();
    const first = onShutdownSignal(async () => undefined);
    const second = onShutdownSignal(async () => undefined);
    expect(process.listeners('SIGTERM')[0]).not.toBe(others[0]);
    first();
    expect(added('SIGINT')).toBe(1);
    second();
    expect(added('SIGINT')).toBe(0);
  });
});
