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
    connect(options, (...result) => {
      running--;
      const [error] = result;
      if (error) for (const [, fail] of waiting.splice(0)) fail(error, null);
      done(...result);
      const next = running < MAX_HANDSHAKES ? waiting.shift() : undefined;
      if (next) start(next);
    });
  };
  return (options, done) => {
    if (running < MAX_HANDSHAKES) start([options, done]);
    else waiting.push([options, done]);
  };
}
