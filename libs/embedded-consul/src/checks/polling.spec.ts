import { createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { ControllableClock } from '../time/controllable-clock.js';
import { grpcProbe } from './grpc.probe.js';
import { poll } from './polling.js';
import type { Probe, ProbeResult } from './probe.js';
import { scriptProbe } from './script.probe.js';
import { tcpProbe } from './tcp.probe.js';

describe('a polled check', () => {
  const clear = { use: false, skipVerify: false };
  const clock = new ControllableClock();
  const ending: (() => void)[] = [];
  afterEach(() => {
    for (const end of ending.splice(0)) end();
  });

  const resultOf = (probe: Probe): Promise<ProbeResult> =>
    new Promise((onResult) => {
      const options = { clock, random: () => 0, intervalMs: 60_000, timeoutMs: 10_000 };
      ending.push(poll({ ...options, probe, onResult }));
    });

  it.each([
    ['a port that there is none of', tcpProbe('127.0.0.1:70000'), 'dial tcp: address 70000: invalid port'],
    ['an address of gRPC that is none', grpcProbe('a b:1', clear), expect.stringMatching(/Invalid URL$/)],
    ['a script without a name', scriptProbe([''], 4_096), expect.stringMatching(/./)],
  ])('is critical for %s, and nothing is thrown', async (_what, probe, output) => {
    expect(await resultOf(probe)).toEqual({ status: 'critical', output });
  });

  it('shows the message of a gRPC server that does not encode it', async () => {
    const server = createServer();
    server.on('stream', (stream: ServerHttp2Stream) => {
      stream.respond(
        { ':status': 200, 'grpc-status': '14', 'grpc-message': 'disk 100% full' },
        { endStream: true },
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ending.push(() => server.close());
    const { port } = server.address() as AddressInfo;
    expect(await resultOf(grpcProbe(`127.0.0.1:${port}`, clear))).toEqual({
      status: 'critical',
      output: 'rpc error: code = Unavailable desc = disk 100% full',
    });
  });
});
