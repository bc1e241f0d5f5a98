// Before `npm pack` and `npm publish`, in the folder of a library: what is packed is never older than its sources, and says what is installed with it.
import { execFileSync } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

// Tests have built it, and run it beside each other.
if (process.env.ROOKERY_IS_BUILT === undefined)
  execFileSync('npm', ['run', '--silent', 'build'], {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    stdio: 'inherit',
  });
await import('./sbom.mjs');
