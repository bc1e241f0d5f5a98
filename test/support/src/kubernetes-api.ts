import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TestCertificates } from './test-certificates.js';

/** The two endpoints of Kubernetes that Consul's auth method asks: whose token is it, and what is known of that service account. */
export class KubernetesApi {
  readonly url: string;
  readonly stop: () => void;

  private constructor(url: string, stop: () => void) {
    this.url = url;
    this.stop = stop;
  }

  /** @param accounts the names of the service accounts of the namespace `shop` by their tokens */
  static async start(certificates: TestCertificates, accounts: Map<string, string>): Promise<KubernetesApi> {
    const server = createServer(
      { cert: certificates.pem('server'), key: certificates.pem('server-key') },
      (request, response) => {
        let body = '';
        request.on('data', (part: Buffer) => (body += part.toString()));
        request.on('end', () => {
          response.setHeader('content-type', 'application/json');
          response.end(JSON.stringify(answer(String(request.url), body, accounts)));
        });
      },
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    return new KubernetesApi(`https://127.0.0.1:${port}`, () => {
      server.close().closeAllConnections();
    });
  }
}

function answer(path: string, body: string, accounts: Map<string, string>): object {
  const account = /\/namespaces\/shop\/serviceaccounts\/([^/?]+)$/.exec(path)?.[1];
  if (account !== undefined)
    return { kind: 'ServiceAccount', apiVersion: 'v1', metadata: { name: account, namespace: 'shop' } };
  const review = JSON.parse(body) as { spec: { token: string } };
  const name = accounts.get(review.spec.token);
  const user = { username: `system:serviceaccount:shop:${name}`, uid: '6d1f' };
  return {
    ...review,
    status: name === undefined ? { error: 'unknown token' } : { authenticated: true, user },
  };
}
