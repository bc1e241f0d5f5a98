import { inspect } from 'node:util';
import type { AxiosError } from 'axios';

const MAX_SHOWN = 5;

/** An AxiosError has its whole request and response in it: in a log that is a hundred lines, with headers and their tokens. */
export function makeInspectable(error: AxiosError, service: string): AxiosError {
  Object.defineProperty(error, inspect.custom, {
    configurable: true,
    enumerable: false,
    value: () => describe(error, service),
  });
  return error;
}

function describe(
  { stack, message, code, config, response, call, cause }: AxiosError,
  service: string,
): string {
  const request = `${(config?.method ?? 'get').toUpperCase()} ${config?.url ?? '/'} of "${service}"`;
  const lines = [
    stack ?? message,
    `  request: ${request}${code === undefined ? '' : `, code ${code}`}${response ? `, status ${response.status}` : ''}`,
  ];
  const attempts = call?.attempts ?? [];
  const shown = attempts.length > MAX_SHOWN ? attempts.slice(-MAX_SHOWN) : attempts;
  if (shown.length < attempts.length) lines.push(`  ${attempts.length - shown.length} attempts before these`);
  for (const { instance, address, durationMs, reason } of shown)
    lines.push(
      `  attempt: ${instance} at ${address}: ${reason ?? 'answered'} after ${Math.round(durationMs)} ms`,
    );
  if (cause) lines.push(`  cause: ${cause.message}`);
  return lines.join('\n');
}
