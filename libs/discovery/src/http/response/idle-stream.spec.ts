import { PassThrough, Readable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '@rookery/test-support';
import { destroyWhenIdle } from './idle-stream.js';
import { tolerateUnheardError } from './unheard-error.js';

const IDLE_MS = 1_000;

describe('destroyWhenIdle', () => {
  const clock = new FakeClock();
  const start = (): Readable => {
    const stream = new Readable({ read: () => undefined });
    tolerateUnheardError(stream);
    destroyWhenIdle(stream, IDLE_MS, () => new Error('idle'), clock);
    return stream;
  };

  it('F52 ends a stream that stalls, also one that is only piped, or listened to without an error handler', async () => {
    const piped = start();
    piped.pipe(new PassThrough());
    const heard = start().on('data', () => undefined);
    const handled = start();
    const errors: Error[] = [];
    handled.on('error', (error: Error) => errors.push(error));
    for (const stream of [piped, heard, handled]) stream.push('begin');
    await clock.advance(IDLE_MS - 1);
    expect([piped, heard, handled].map(({ destroyed }) => destroyed)).toEqual([false, false, false]);
    await clock.advance(1);
    expect([piped, heard, handled].map(({ destroyed }) => destroyed)).toEqual([true, true, true]);
    expect(errors.map(({ message }) => message)).toEqual(['idle']);
    expect(clock.pending).toBe(0);
  });

  it('F52 leaves a stream alone that is complete, however late it is read', async () => {
    const stream = start();
    stream.push('all of it');
    stream.push(null);
    await clock.advance(100 * IDLE_MS);
    const chunks: unknown[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(String(chunks)).toBe('all of it');
    expect(clock.pending).toBe(0);
  });

  it('F52 leaves a stream alone whose reader is slow', async () => {
    const stream = start();
    stream.push(Buffer.alloc(stream.readableHighWaterMark));
    await clock.advance(10 * IDLE_MS);
    expect(stream.destroyed).toBe(false);
    stream.destroy();
    await new Promise((resolve) => stream.once('close', resolve));
    expect(clock.pending).toBe(0);
  });
});
