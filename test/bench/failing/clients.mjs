// What is compared: ours as it is without an option, and what apps do with the packages that there are.
import { createRequire } from 'node:module';
import { IMPLEMENTATIONS } from '../http/implementations.mjs';

const peers = createRequire(new URL('../peers/package.json', import.meta.url));
const ASKING = 'axios, asking Consul each time';

async function withRetries(target) {
  const { ExponentialBackoff, handleAll, retry } = peers('cockatiel');
  const { get } = await IMPLEMENTATIONS[ASKING](target);
  const policy = retry(handleAll, { maxAttempts: 2, backoff: new ExponentialBackoff() });
  return { get: () => policy.execute(get) };
}

const CLIENTS = {
  [ASKING]: (target) => IMPLEMENTATIONS[ASKING](target),
  'the same, with two retries of cockatiel': withRetries,
  rookery: (target) => IMPLEMENTATIONS['rookery, defaults'](target),
};

export const NAMES = Object.keys(CLIENTS);

export const clientOf = (name, target) => CLIENTS[name](target);
