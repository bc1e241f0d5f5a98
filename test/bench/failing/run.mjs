// `npm run bench -- failing`: how many calls fail while an instance or Consul does, beside what apps do without a client of ours. Real Consul, one server in a process for each
// of three instances, and one client in a process of its own for each implementation; all of them call at the same time.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ConsulAgent } from '@rookery/test-support';
import { NAMES } from './clients.mjs';

const INSTANCES = 3;
const PER_SECOND = 100;
const MILLISECONDS = 15_000;
const FAILS_AFTER_MS = 2_000;
const CHECK = { Interval: '10s', Timeout: '2s' };

const FAULTS = {
  'an instance is killed': ({ servers }) => servers[0].kill('SIGKILL'),
  'an instance hangs': ({ servers }) => servers[0].kill('SIGSTOP'),
  'the agent of Consul is killed': ({ consul }) => consul.kill(),
};

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

async function measure(fail) {
  const consul = await ConsulAgent.start();
  const children = [];
  const start = async (file, args, env) => {
    // What the clients write of the faults is not what is measured.
    const stdio = ['ignore', 'ignore', 'inherit', 'ipc'];
    const child = fork(here(file), args, { env: { ...process.env, ...env }, stdio });
    children.push(child);
    const [first] = await once(child, 'message');
    return { child, first };
  };
  try {
    const servers = [];
    for (let n = 0; n < INSTANCES; n++) {
      const { child, first } = await start('../http/server.mjs', []);
      servers.push(child);
      const { port } = first;
      await consul.request('PUT', '/v1/agent/service/register', {
        ...{ Name: 'inventory', ID: `inventory-${n}`, Address: '127.0.0.1', Port: port },
        Check: { HTTP: `http://127.0.0.1:${port}/health`, Status: 'passing', ...CHECK },
      });
    }
    const env = { BENCH_TARGET: JSON.stringify({ consul: consul.url }) };
    const clients = await Promise.all(NAMES.map((name) => start('client.mjs', [name], env)));
    const results = clients.map(async ({ child }) => {
      child.send({ perSecond: PER_SECOND, milliseconds: MILLISECONDS });
      const [result] = await once(child, 'message');
      return result;
    });
    await delay(FAILS_AFTER_MS);
    await fail({ servers, consul });
    return await Promise.all(results);
  } finally {
    for (const child of children) child.kill('SIGKILL');
    await consul.stop();
  }
}

export async function benchFailing() {
  console.log(
    `\n${INSTANCES} instances, ${PER_SECOND} calls a second for ${MILLISECONDS / 1_000} s; failed, or not answered in 5 s:\n`,
  );
  for (const [fault, fail] of Object.entries(FAULTS)) {
    const results = await measure(fail);
    for (const [n, { calls, failed }] of results.entries())
      console.log(`${fault.padEnd(32)}${NAMES[n].padEnd(42)}${String(failed).padStart(6)} of ${calls}`);
  }
}
