// `npm run sample -- 03`: starts a sample, on the Consul of this host, or on an embedded one if there is none, until Ctrl-C.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { EmbeddedConsul } from '@rookery/embedded-consul';

const folder = fileURLToPath(new URL('./dist/', import.meta.url));
const samples = readdirSync(folder).filter((name) => /^\d\d-/.test(name));
const [wanted = ''] = process.argv.slice(2);
const sample = samples.find((name) => name === wanted || name.startsWith(`${wanted}-`));
if (sample === undefined) {
  console.error(
    `${wanted === '' ? 'Which one?' : `There is no sample "${wanted}".`} There are ${samples.join(', ')}`,
  );
  process.exit(2);
}

const address = process.env.CONSUL_HTTP_ADDR ?? 'http://127.0.0.1:8500';
const isThere = await fetch(new URL('/v1/status/leader', address)).then(
  ({ ok }) => ok,
  () => false,
);
const embedded = isThere ? undefined : await EmbeddedConsul.start({ port: Number(new URL(address).port) });
if (embedded) console.log(`no Consul at ${address}: an embedded one is started there`);

const app = spawn(process.execPath, [`${folder}${sample}/main.js`], { stdio: 'inherit' });
// The terminal signals both; this one waits for the app.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => app.kill('SIGTERM'));
const [code] = await once(app, 'exit');
await embedded?.stop();
process.exitCode = code ?? 0;
