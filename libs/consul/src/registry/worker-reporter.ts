// Imported by the main thread, and by the worker thread, which shares no objects with it.
import { fileOf } from '#here';
import type { CheckStatus, WorkerReporter, WorkerReporterSource } from '@rookery/discovery/adapter';
import { agentCertificates, type ResolvedAgent } from '../client/agent-options.js';
import { ConsulClient } from '../client/consul-client.js';
import { saysUnknownToken } from '../client/classify-response.js';
import { Secret } from '@rookery/discovery/adapter';
import type { TokenSource } from '../client/token-source.js';

type Plain<T, K extends keyof T> = Omit<T, K> & Readonly<Record<K, string | undefined>>;

/** An agent in a form that can be copied to a thread: without functions, and with its secrets as strings. */
export interface PlainAgent extends Pick<
  ResolvedAgent,
  'datacenter' | 'namespace' | 'partition' | 'timeoutMs' | 'maxConnections' | 'maxWaitMs'
> {
  readonly address: Plain<ResolvedAgent['address'], 'auth'>;
  readonly tls: Omit<ResolvedAgent['tls'], 'certificates'>;
  readonly auth: string | undefined;
}

function toPlainAgent({ address, tls, auth, token: _, others: __, ...rest }: ResolvedAgent): PlainAgent {
  const { certificates: ___, ...plainTls } = tls;
  return {
    ...rest,
    address: { ...address, auth: address.auth?.reveal() },
    tls: plainTls,
    auth: auth?.reveal(),
  };
}

/** The data that a worker thread needs to report to this agent. */
export function workerReporterSource(agent: ResolvedAgent): WorkerReporterSource {
  return {
    module: fileOf('registry/worker-reporter.js'),
    data: toPlainAgent(agent),
    token: async () => (await agent.token.current())?.reveal(),
    refused: async (reason) => {
      await agent.token.refused(await agent.token.current(), saysUnknownToken(reason));
    },
  };
}

/** Called in the worker thread, with the result of `toPlainAgent`. */
export function createWorkerReporter(plain: PlainAgent): WorkerReporter {
  let token: Secret | undefined;
  const secret = (text: string | undefined): Secret | undefined =>
    text === undefined ? undefined : new Secret(text);
  // The main thread sends another token.
  const source: TokenSource = { current: async () => token, refused: async () => false, version: undefined };
  const client = new ConsulClient({
    ...plain,
    others: [],
    address: { ...plain.address, auth: secret(plain.address.auth) },
    // The thread reads the files itself, so that renewed ones reach it too.
    tls: { ...plain.tls, certificates: agentCertificates(plain.tls.paths) },
    auth: secret(plain.auth),
    token: source,
  });
  return {
    report: (checkId: string, status: CheckStatus, output: string, timeout: number) =>
      client.agent.checks.update(checkId, status, output, { timeout }),
    setToken: (text) => (token = secret(text)),
    close: () => client.close(),
  };
}
