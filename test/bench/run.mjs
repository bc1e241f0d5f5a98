// `npm run bench -- NAME`: figures are only worth comparing within one run.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const BENCHMARKS = {
  http: async (args) => (await import('./http/run.mjs')).benchHttp(args),
  config: async () => (await import('./config/run.mjs')).benchConfig(),
  connect: async () => (await import('./connect/run.mjs')).benchConnect(),
  dashboard: async () => (await import('./dashboard/run.mjs')).benchDashboard(),
  failing: async () => (await import('./failing/run.mjs')).benchFailing(),
  grpc: async () => (await import('./grpc/run.mjs')).benchGrpc(),
  load: async () => (await import('./load/run.mjs')).benchLoad(),
  registries: async () => (await import('./registries/run.mjs')).benchRegistries(),
  pick: async () => (await import('./pick/run.mjs')).benchPick(),
  reporting: async () => (await import('./reporting/run.mjs')).benchReporting(),
  shedding: async () => (await import('./shedding/run.mjs')).benchShedding(),
  watch: async (args) => (await import('./watch/run.mjs')).benchWatch(args),
};
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const [name, ...args] = process.argv.slice(2);
const run = BENCHMARKS[name];
if (!run) {
  console.error(
    `${name === undefined ? '' : `${name}: no benchmark. `}npm run bench -- ${Object.keys(BENCHMARKS).join(' | ')}`,
  );
  process.exit(2);
}
if (!existsSync(here('peers/node_modules'))) {
  const npm = ['ci', '--ignore-scripts', '--legacy-peer-deps', '--no-audit', '--no-fund', '--loglevel=error'];
  execFileSync('npm', npm, { cwd: here('peers'), stdio: 'inherit' });
}
await run(args);
