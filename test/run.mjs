// `npm test`: the groups of jest.config.js one after the other, since suites that measure fail beside those that load the machine. What Jest is told by
// arguments, and a group that ROOKERY_SUITES names, is one run.
import { spawnSync } from 'node:child_process';

const GROUPS = ['rest', 'faults', 'loads', 'alone'];

const args = process.argv.slice(2);

/** @returns whether it passed */
function jest(options, env = {}) {
  const command = ['run', '--silent', 'jest', '--', ...options];
  const { status, error } = spawnSync('npm', command, { stdio: 'inherit', env: { ...process.env, ...env } });
  if (error) throw error;
  // Null: ended by a signal, such as of Ctrl-C.
  if (status === null) process.exit(1);
  return status === 0;
}

const results =
  args.length > 0 || process.env.ROOKERY_SUITES !== undefined
    ? [jest(args)]
    : GROUPS.map((group) => {
        process.stdout.write(`\nThe suites of group ${group}\n`);
        // Without a real Consul a group may have none.
        return jest(['--passWithNoTests'], { ROOKERY_SUITES: group });
      });
process.exitCode = results.every(Boolean) ? 0 : 1;
