import { Server, ServerCredentials } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from '@jest/globals';
import { thrownBy } from '@rookery/test-support';
import { methodOf } from './api/descriptor.js';
import type { RangeRequest, RangeResponse } from './api/messages.js';
import { EtcdConnection, metadataOf } from './etcd-connection.js';
import type { EtcdEndpoint } from './etcd-options.js';

const endpointAt = (port: number): EtcdEndpoint => ({
  target: `127.0.0.1:${port}`,
  host: '127.0.0.1',
  secure: false,
});
const NO_TLS = { certificates: undefined, serverName: undefined };

describe('EtcdConnection', () => {
  const ended: (() => void)[] = [];
  afterEach(() => ended.splice(0).forEach((end) => end()));

  /** A connection to a server that answers each read with as many bytes. */
  async function connectionTo(bytes: number): Promise<EtcdConnection> {
    const server = new Server({ 'grpc.max_send_message_length': -1 });
    const kvs = [{ value: Buffer.alloc(bytes) }];
    const range = methodOf<RangeRequest, RangeResponse>('KV/Range');
    server.addService(
      { range },
      { range: (_: unknown, done: (error: null, response: object) => void) => done(null, { kvs }) },
    );
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    const connection = new EtcdConnection(endpointAt(port), NO_TLS);
    ended.push(
      () => connection.close(),
      () => server.forceShutdown(),
    );
    return connection;
  }
  const read = async (connection: EtcdConnection) =>
    connection.unary(
      'KV/Range',
      { key: Buffer.from('a') },
      { metadata: metadataOf(undefined), timeoutMs: 60_000 },
    );

  it('takes a response of 64 MiB at most', async () => {
    const mebibyte = 1024 * 1024;
    const { kvs } = await read(await connectionTo(63 * mebibyte));
    expect(kvs[0]?.value.length).toBe(63 * mebibyte);
    const tooLarge = await thrownBy(async () => read(await connectionTo(64 * mebibyte)));
    expect(tooLarge).toMatchObject({ code: 'RK_REGISTRY_BAD_RESPONSE' });
    expect(tooLarge.message).toContain('KV/Range at 127.0.0.1');
  });
});
