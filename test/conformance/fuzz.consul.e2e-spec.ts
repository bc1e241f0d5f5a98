import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ConsulApi } from './consul-api.js';
import { Pair } from './compare.js';
import { randomRequests } from './random-request.js';

const REQUESTS = 10_000;
const COMPARED = 500;
/** The same seed unless another is set: a random finding must not fail an unrelated change. */
const SEED = Number(process.env.ROOKERY_SEED ?? 40_864);

describe(`random requests, seed ${SEED}`, () => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await Pair.start();
  });
  afterAll(() => pair.stop());

  it('never crash the embedded agent, which never accepts what the real one refuses', async () => {
    const embedded = new ConsulApi(pair.embedded.url);
    const real = new ConsulApi(pair.real.url);
    const wrong: unknown[] = [];
    let compared = 0;
    let answered = 0;
    for (const [method, path, body] of randomRequests(SEED, REQUESTS)) {
      const ours = await embedded.raw(method, path, body);
      answered++;
      if (ours.text.startsWith('embedded-consul:') && ours.status === 500)
        wrong.push([method, path, body, ours.text]);
      if (compared >= COMPARED) continue;
      // A few of them make a handler of the real agent panic: it closes the connection, and answers nothing.
      const theirs = await real.raw(method, path, body).catch(() => undefined);
      if (!theirs) continue;
      compared++;
      if (ours.status < 300 && theirs.status >= 400)
        wrong.push([method, path, body, ours.status, theirs.status, theirs.text]);
    }
    process.stderr.write(
      `fuzz: seed ${SEED}, ${answered} requests answered, ${compared} compared with the real agent\n`,
    );
    expect(wrong).toEqual([]);
    expect(answered).toBe(REQUESTS);
  }, 240_000);
});
