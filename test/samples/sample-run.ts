import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { AppProcess, eventually, freePorts } from '@rookery/test-support';

const SAMPLES = fileURLToPath(new URL('../../apps/samples/', import.meta.url));
const COMMAND = /^curl (.*?)(?: +# (.*))?$/gm;

export const sampleNames: readonly string[] = readdirSync(`${SAMPLES}src`).filter((name) =>
  /^\d\d-/.test(name),
);

/** A line of a sample's page: what is asked, and what is in the answer. */
export interface Step {
  readonly method: string;
  readonly url: string;
  readonly body: string | undefined;
  readonly answer: string | undefined;
}

export function pageOf(sample: string): string {
  return readFileSync(`${SAMPLES}src/${sample}/README.md`, 'utf8');
}

export function stepsOf(page: string): readonly Step[] {
  return [...page.matchAll(COMMAND)].map(([, command = '', answer]) => {
    const method = /-X (\w+)/.exec(command)?.[1] ?? 'GET';
    const body = /-d (\S+)/.exec(command)?.[1];
    const url = /https?:\/\/[^\s']+/.exec(command)?.[0] ?? '';
    return { method, url, body, answer };
  });
}

/** Starts a sample on a registry, and does what its page says. @throws Error for an answer that is not as there */
export async function runSample(
  sample: string,
  { consulUrl = '', environment = {} }: { consulUrl?: string; environment?: Record<string, string> },
): Promise<void> {
  const [port = 0, grpcPort = 0] = await freePorts(2);
  const app = await AppProcess.start({
    main: `${SAMPLES}dist/${sample}/main.js`,
    port,
    environment: { CONSUL_HTTP_ADDR: consulUrl, GRPC_PORT: String(grpcPort), ...environment },
  });
  try {
    const steps = stepsOf(pageOf(sample));
    if (steps.length === 0) throw new Error(`the page of ${sample} has nothing to try`);
    for (const step of steps) await follow(step, { app: app.url, consul: consulUrl });
  } catch (error) {
    throw new Error(`${sample}: ${(error as Error).message}\n${app.output}`, { cause: error });
  } finally {
    await app.stop();
  }
}

/** Does a step. @throws Error when the answer does not have what the page says, within 15 s or the given time */
export async function follow(
  { method, url, body, answer }: Step,
  origins: { readonly app: string; readonly consul: string },
  within?: number,
): Promise<void> {
  const target = url
    .replace('http://127.0.0.1:3000', origins.app)
    .replace('http://127.0.0.1:8500', origins.consul);
  const ask = async (): Promise<string> => {
    const response = await fetch(target, { method, ...(body === undefined ? {} : { body }) });
    return response.text();
  };
  // What changes something is sent once; what is asked may be known a moment later.
  const text = method === 'GET' ? '' : await ask();
  if (answer === undefined) return;
  const isAnswered = async (): Promise<boolean> => (method === 'GET' ? await ask() : text).includes(answer);
  await eventually(isAnswered, within === undefined ? {} : { within }).catch((error: unknown) => {
    throw new Error(`${method} ${url} did not answer ${answer}`, { cause: error });
  });
}
