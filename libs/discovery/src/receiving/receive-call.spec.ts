import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '@rookery/test-support';
import { CallReceiver } from './call-receiver.js';
import { receiveCall } from './receive-call.js';

describe('receiveCall', () => {
  const advertised = '203.0.113.7:80';
  const receiver = new CallReceiver({
    names: ['orders'],
    isAdvertised: (address) => address === advertised,
    clock: new FakeClock(),
  });
  const middleware = receiveCall(receiver);
  const receive = (
    headers: Record<string, string>,
    socket: object = { localAddress: '::ffff:10.0.0.1', localPort: 3000 },
  ): { status: number; headers: Record<string, string> } => {
    const accepted: true[] = [];
    const response = {
      statusCode: 200,
      setHeader: () => undefined,
      end: () => undefined,
      on: () => undefined,
    };
    // As a request of HTTP/2, whose headers cannot be replaced.
    const request = Object.freeze({ headers, socket });
    middleware(request as unknown as IncomingMessage, response as unknown as ServerResponse, () => {
      accepted.push(true);
    });
    return { status: accepted.length > 0 ? 200 : response.statusCode, headers };
  };
  const to = (address: string, service = 'gateway'): Record<string, string> => ({
    'rookery-service': service,
    'rookery-address': address,
    'x-own': '1',
  });

  it('F37 refuses a call for another service that was sent to its own address: of the socket, or the advertised one', () => {
    expect(receive(to('10.0.0.1:3000')).status).toBe(421);
    expect(receive(to(advertised)).status).toBe(421);
    expect(receive(to('[::1]:3000'), { localAddress: '::1', localPort: 3000 }).status).toBe(421);
  });

  it('F45 accepts a call that was sent to another address, and hands on none of these headers', () => {
    expect(receive(to('10.0.0.9:80'))).toEqual({ status: 200, headers: { 'x-own': '1' } });
    expect(receive(to('10.0.0.1:3000', 'orders'))).toEqual({ status: 200, headers: { 'x-own': '1' } });
    expect(receive({ 'rookery-service': 'gateway' }).status).toBe(200);
    expect(receive(to('10.0.0.1:3000'), {}).status).toBe(200);
  });
});
