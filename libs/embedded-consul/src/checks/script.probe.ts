import { spawn } from 'node:child_process';
import { critical, passing, type Probe } from './probe.js';

/** Runs a program: 0 passes, 1 warns, anything else is critical; what it writes is the output. */
export function scriptProbe([program = '', ...args]: readonly string[], outputMaxSize: number): Probe {
  return (signal) =>
    new Promise((resolve) => {
      let output = Buffer.alloc(0);
      const child = spawn(program, args, {
        stdio: ['ignore', 'pipe', 'pipe'],
        signal,
        killSignal: 'SIGKILL',
      });
      const keep = (chunk: Buffer): void => {
        output = Buffer.concat([output, chunk]).subarray(-outputMaxSize);
      };
      child.stdout.on('data', keep);
      child.stderr.on('data', keep);
      child.once('error', (error) =>
        resolve(critical(signal.aborted ? 'Timed out' : `${program}: ${error.message}`)),
      );
      child.once('close', (code) => {
        const text = output.toString();
        if (code === 0) resolve(passing(text));
        else resolve(code === 1 ? { status: 'warning', output: text } : critical(text));
      });
    });
}
