import { createHash, X509Certificate } from 'node:crypto';
import { requestCases, type ConformanceCase } from '../conformance-case.js';
import type { ConsulApi } from '../consul-api.js';

interface Roots {
  readonly ActiveRootID: string;
  readonly TrustDomain: string;
  readonly Roots: readonly (Readonly<Record<string, unknown>> & {
    readonly ID: string;
    readonly RootCert: string;
    readonly NotBefore: string;
    readonly NotAfter: string;
  })[];
}

const PATHS = ['/v1/connect/ca/roots', '/v1/agent/connect/ca/roots'];
const REFUSED = ['pem=x', 'wait=bad', 'index=bad', 'stale&consistent', 'dc=other'];

/** What can be told of certificates that each agent makes for itself. */
async function rootsOf(api: ConsulApi, path: string): Promise<unknown> {
  const { status, headers, json } = await api.raw('GET', path);
  const { ActiveRootID, TrustDomain, Roots: roots, ...rest } = json as Roots;
  return {
    status,
    type: headers.get('content-type'),
    leader: headers.get('x-consul-knownleader'),
    isCacheTold: headers.has('x-cache'),
    rest,
    trustDomain: TrustDomain.replace(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/, 'UUID'),
    isActive: roots.map(({ ID }) => ID === ActiveRootID),
    roots: roots.map(({ ID, RootCert, NotBefore, NotAfter, ...root }) => ({
      ...root,
      fields: Object.keys(roots[0] ?? {}),
      SerialNumber: typeof root.SerialNumber,
      CreateIndex: typeof root.CreateIndex,
      ModifyIndex: typeof root.ModifyIndex,
      ExternalTrustDomain: root.ExternalTrustDomain === TrustDomain.replace('.consul', ''),
      years: new Date(NotAfter).getUTCFullYear() - new Date(NotBefore).getUTCFullYear(),
      form: [NotBefore, NotAfter].map((time) => time.replace(/\d/g, '0')),
      SigningKeyID: undefined,
      ...certificate(RootCert, {
        ...{ ID, trustDomain: TrustDomain, signingKeyId: root.SigningKeyID },
        ...{ serialNumber: root.SerialNumber, from: NotBefore, to: NotAfter },
      }),
    })),
  };
}

function certificate(pem: string, told: Readonly<Record<string, unknown>>): object {
  const root = new X509Certificate(pem);
  const colons = (hex: string): string => hex.match(/../g)?.join(':') ?? '';
  const key = createHash('sha256').update(root.publicKey.export({ type: 'spki', format: 'der' }));
  return {
    isAuthority: root.ca,
    isSelfSigned: root.checkIssued(root) && root.verify(root.publicKey),
    isNamedByHash: told.ID === colons(createHash('sha1').update(root.raw).digest('hex')),
    isKeyNamedByHash: told.signingKeyId === colons(key.digest('hex')),
    hasSerialNumber: parseInt(root.serialNumber, 16) === told.serialNumber,
    isInTrustDomain: root.subjectAltName === `URI:spiffe://${String(told.trustDomain)}`,
    isValidAsTold:
      [root.validFrom, root.validTo].map((time) => Date.parse(time)).join() ===
      [told.from, told.to].map((time) => Date.parse(String(time))).join(),
    subject: root.subject.replace(/pri-[0-9a-z]+/, 'pri-ID').replace(/[0-9a-f]{8}/, 'CLUSTER'),
    key: root.publicKey.asymmetricKeyDetails,
    lines: isWrapped(pem),
  };
}

/** In lines of 64, and nothing before or after them. */
function isWrapped(pem: string): boolean {
  return /^-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/]{64}\n)*[A-Za-z0-9+/=]{1,64}\n-----END CERTIFICATE-----\n$/.test(
    pem,
  );
}

export const connectCases: readonly ConformanceCase[] = [
  ...PATHS.flatMap((path) =>
    ['', '?pem=', '?pem=0', '?stale', '?consistent', '?cached', '?ns=x', '?index=1&wait=1s'].map(
      (query): ConformanceCase => ({
        area: 'connect roots',
        name: path + query,
        observe: (api) => rootsOf(api, path + query),
      }),
    ),
  ),
  ...requestCases(
    'connect roots',
    [],
    PATHS.flatMap((path) =>
      REFUSED.filter((query) => path === PATHS[0] || query !== 'pem=x').map(
        (query) => ['GET', `${path}?${query}`] as const,
      ),
    ),
  ),
  ...['1', 't', 'TRUE', 'True'].map((value): ConformanceCase => ({
    area: 'connect roots',
    name: `as a file: pem=${value}`,
    observe: async (api) => {
      const { status, headers, text } = await api.raw('GET', `${PATHS[0]}?pem=${value}`);
      const roots = (await api.raw('GET', String(PATHS[0]))).json as Roots;
      return {
        status,
        type: headers.get('content-type'),
        hasIndex: headers.has('x-consul-index'),
        isThatOfTheList: text === roots.Roots.map(({ RootCert }) => RootCert).join(''),
      };
    },
  })),
  {
    area: 'connect roots',
    name: 'a wait for their next index ends with its time',
    observe: async (api) => {
      const index = (await api.raw('GET', String(PATHS[0]))).headers.get('x-consul-index');
      const begun = performance.now();
      const { status, headers } = await api.raw('GET', `${PATHS[0]}?index=${index}&wait=300ms`);
      return {
        status,
        hasWaited: performance.now() - begun >= 250,
        isSame: headers.get('x-consul-index') === index,
      };
    },
  },
];
