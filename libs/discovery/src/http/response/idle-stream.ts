import type { Readable } from 'node:stream';
import { systemClock, type Clock } from '../../timing/clock.js';

/**
 * Destroys a stream that gets no data for a while although it could take some: its peer has stalled. A reader that is slow is not
 * interrupted: then the stream is full.
 */
export function destroyWhenIdle(
  stream: Readable,
  idleMs: number,
  onIdle: () => Error,
  clock: Clock = systemClock,
): void {
  if (!Number.isFinite(idleMs)) return;
  let lastAt = clock.now();
  let cancel = (): void => undefined;
  // A listener for data would start the flow, before the reader is there.
  const push = stream.push.bind(stream);
  stream.push = (...chunk: Parameters<Readable['push']>): boolean => {
    lastAt = clock.now();
    // All of it is here: when it is read is up to the reader.
    if (chunk[0] === null) cancel();
    return push(...chunk);
  };
  const look = (): void => {
    const isFull = stream.readableLength >= stream.readableHighWaterMark;
    if (isFull) lastAt = clock.now();
    const leftMs = lastAt + idleMs - clock.now();
    if (leftMs > 0) {
      cancel = clock.after(leftMs, look);
      return;
    }
    stream.destroy(onIdle());
  };
  cancel = clock.after(idleMs, look);
  stream.once('close', () => cancel());
}
