// An embedded agent in a separate process, for embedded-consul.e2e-spec.ts: reports its memory on request.
import { createInterface } from 'node:readline';
import { EmbeddedConsul } from '@rookery/embedded-consul';

const consul = await EmbeddedConsul.start();
await fetch(`${consul.url}/v1/agent/service/register`, { method: 'PUT', body: '{"Name":"x"}' });
console.log(consul.url);
createInterface({ input: process.stdin }).on('line', () => {
  globalThis.gc();
  const { heapUsed, external, rss } = process.memoryUsage();
  console.log(`${heapUsed + external} ${rss} ${consul.load.blocked}`);
});
