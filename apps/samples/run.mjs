// `npm run sample -- 03`: starts a sample, on the Consul of this host, or on an embedded one if there is none, until Ctrl-C.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { EmbeddedConsul } from '@rookery/embedded-consul';

const PORT = 8500;
/** What an embedded Consul is not enough for. */
const NEEDS = {
  '08-etcd': 'an etcd',
  '09-connect': 'a real Consul with Connect, such as of `consul agent -dev`',
};

const folder = fileURLToPath(new URL('./dist/', import.meta.url));
const samples = readdirSync(folder).filter((name) => existsSync(`${folder}${name}/main.js`));
const [wanted = ''] = process.argv.slice(2);
const sample = samples.find((name) => name === wanted || name.startsWith(`${wanted}-`));
if (sample === undefined) {
  console.error(
    `${wanted === '' ? 'Which one?' : `No sample "${wanted}" can be started.`} There are ${samples.join(', ')}`,
  );
  process.exit(2);
}

const embedded = (await isConsulNeeded()) ? await EmbeddedConsul.start({ port: PORT }) : undefined;
if (embedded) console.log(`no Consul on port ${PORT}: an embedded one is started there`);
if (sample in NEEDS) console.log(`this sample needs ${NEEDS[sample]}`);

const app = spawn(process.execPath, [`${folder}${sample}/main.js`], { stdio: 'inherit' });
// The terminal signals both; this one waits for the app.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => app.kill('SIGTERM'));
const [code] = await once(app, 'exit');
await embedded?.stop();
process.exitCode = code ?? 0;

/** An agent that the environment names is the one that is meant. */
async function isConsulNeeded() {
  if (sample in NEEDS || process.env.CONSUL_HTTP_ADDR !== undefined) return false;
  const isThere = await fetch(`http://127.0.0.1:${PORT}/v1/status/leader`).then(
    ({ ok }) => ok,
    () => false,
  );
  return !isThere;
}
