import { buffer } from 'node:stream/consumers';
import { Logger } from '@nestjs/common';
import { confirm } from './confirm.js';
import { run } from './run.js';

const ending = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => ending.abort(new Error(signal)));
// A reader such as `head` may close the pipe early.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  ending.abort(error);
});
// The results are on standard output, where Nest's logger would write as well.
Logger.overrideLogger(false);

process.exitCode = await run(process.argv.slice(2), {
  environment: process.env,
  print: (text) => void process.stdout.write(text),
  isTerminal: process.stdout.isTTY && process.env.NO_COLOR === undefined,
  tell: (text) => void process.stderr.write(text),
  progress: process.stderr.isTTY ? (text) => void process.stderr.write(`\r\u001b[K${text}`) : undefined,
  confirm:
    process.stdin.isTTY && process.stderr.isTTY
      ? (question) =>
          confirm(question, {
            input: process.stdin,
            output: process.stderr,
            signal: ending.signal,
            onInterrupt: () => ending.abort(new Error('SIGINT')),
          })
      : undefined,
  readInput: () => {
    // Else it would be read to its end.
    ending.signal.addEventListener('abort', () => process.stdin.destroy(), { once: true });
    return buffer(process.stdin);
  },
  signal: ending.signal,
});
