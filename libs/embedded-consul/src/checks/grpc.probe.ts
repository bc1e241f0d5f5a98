import { connect, constants } from 'node:http2';
import { critical, dialReason, passing, type Probe, type ProbeResult } from './probe.js';

const SERVING = 1;
const STATUS_NAMES: Readonly<Record<string, string>> = {
  '1': 'Canceled',
  '2': 'Unknown',
  '4': 'DeadlineExceeded',
  '5': 'NotFound',
  '12': 'Unimplemented',
  '14': 'Unavailable',
  '16': 'Unauthenticated',
};

/**
 * The standard health check over HTTP/2 in clear text, or TLS. The two messages are so small (one string, one number)
 * that they are written and read by hand.
 * Source: gRPC Health Checking Protocol, grpc/doc/health-checking.md.
 */
export function grpcProbe(
  target: string,
  tls: { readonly use: boolean; readonly skipVerify: boolean },
): Probe {
  const [address = '', service = ''] = target.split('/', 2);
  return (signal) => {
    const session = connect(`${tls.use ? 'https' : 'http'}://${address}`, {
      rejectUnauthorized: !tls.skipVerify,
    });
    return new Promise<ProbeResult>((resolve) => {
      const end = (result: ProbeResult): void => {
        session.destroy();
        resolve(result);
      };
      const unavailable = (reason: string): void =>
        end(critical(`rpc error: code = Unavailable desc = ${reason}`));
      signal.addEventListener('abort', () =>
        end(critical('rpc error: code = DeadlineExceeded desc = context deadline exceeded')),
      );
      session.once('error', (error) => {
        const dialling = (error as NodeJS.ErrnoException).syscall === 'connect';
        unavailable(
          dialling
            ? `connection error: desc = "transport: Error while dialing ${dialReason(error, address)}"`
            : 'connection closed',
        );
      });
      const stream = session.request({
        [constants.HTTP2_HEADER_METHOD]: 'POST',
        [constants.HTTP2_HEADER_PATH]: '/grpc.health.v1.Health/Check',
        'content-type': 'application/grpc',
        te: 'trailers',
      });
      let status: string | undefined;
      let message = '';
      const chunks: Buffer[] = [];
      const readStatus = (headers: Record<string, unknown>): void => {
        if (typeof headers['grpc-status'] !== 'string') return;
        status = headers['grpc-status'];
        message = decoded((headers['grpc-message'] as string | undefined) ?? '');
      };
      stream.on('response', readStatus);
      stream.on('trailers', readStatus);
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('error', () => undefined); // its close follows, and the session says why
      // After the session's own error, which comes behind that of its stream.
      stream.once('close', () => setImmediate(finish));
      const finish = (): void => {
        if (status === undefined) unavailable('connection closed');
        else if (status !== '0') {
          end(critical(`rpc error: code = ${STATUS_NAMES[status] ?? 'Unknown'} desc = ${message}`));
        } else if (servingStatus(Buffer.concat(chunks)) === SERVING) {
          end(passing(`gRPC check ${target}: success`));
        } else end(critical("gRPC application didn't report service healthy"));
      };
      stream.end(healthRequest(service));
    });
  };
}

/** Percent-encoded, by servers that keep to the protocol. */
function decoded(message: string): string {
  try {
    return decodeURIComponent(message);
  } catch {
    return message;
  }
}

function healthRequest(service: string): Buffer {
  const name = Buffer.from(service);
  const message =
    name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, name.length]), name]);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** Field 1 of the answer, an enum; 0 when it is left out. */
function servingStatus(frame: Buffer): number {
  return frame[5] === 0x08 ? (frame[6] ?? 0) : 0;
}
