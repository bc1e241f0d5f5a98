import type { buildConnector } from 'undici';

/**
 * TLS handshakes to one instance at a time. Both ends spend more on one than on most requests: when all connections are renewed at once, further requests would
 * each begin another, none of which ends in time.
 */
const MAX_HANDSHAKES = 4;

type Request = Parameters<buildConnector.connector>;

/** Makes connections by another connector, a few at a time. Those that wait fail with the first that fails: the instance is the same. */
export function limitHandshakes(connect: buildConnector.connector): buildConnector.connector {
  const waiting: Request[] = [];
  let running = 0;
  const start = ([options, done]: Request): void => {
    running++;
    let isOver = false;
    const settle: buildConnector.Callback = (...result) => {
      if (isOver) return;
      isOver = true;
      running--;
      const [error] = result;
      const failed = error ? waiting.splice(0) : [];
      const next = running < MAX_HANDSHAKES ? waiting.shift() : undefined;
      if (next) start(next);
      for (const [, fail] of failed) fail(error as Error, null);
      done(...result);
    };
    try {
      connect(options, settle);
    } catch (error) {
      // Of certificates that cannot be used; what the caller throws is its own.
      if (isOver) throw error;
      settle(error as Error, null);
    }
  };
  return (options, done) => {
    if (running < MAX_HANDSHAKES) start([options, done]);
    else waiting.push([options, done]);
  };
}
