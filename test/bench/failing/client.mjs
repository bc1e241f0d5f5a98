// One implementation in a process of its own: so many calls a second, and what becomes of them.
import { setTimeout as delay } from 'node:timers/promises';
import { clientOf } from './clients.mjs';

/** A call without a response for so long counts as failed. */
const PATIENCE_MS = 5_000;
const TICK_MS = 20;

async function run({ get }, { perSecond, milliseconds }) {
  const failed = { count: 0 };
  const open = [];
  const call = async () => {
    const answered = get().then(
      () => true,
      () => false,
    );
    const isAnswered = await Promise.race([answered, delay(PATIENCE_MS, false)]);
    if (!isAnswered) failed.count++;
  };
  const begun = Date.now();
  for (let sent = 0; Date.now() - begun < milliseconds; await delay(TICK_MS))
    for (; sent < ((Date.now() - begun) / 1_000) * perSecond; sent++) open.push(call());
  await Promise.all(open);
  return { calls: open.length, failed: failed.count };
}

const client = await clientOf(process.argv[2], JSON.parse(process.env.BENCH_TARGET));
await client.get();
process.on('message', (task) => void run(client, task).then((result) => process.send(result)));
process.on('disconnect', () => process.exit());
process.send({ ready: true });
