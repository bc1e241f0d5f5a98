import { describe, expect, it } from '@jest/globals';
import { likelyCause } from './failing-check.js';

describe('the likely cause of a failing check', () => {
  it.each([
    ['HTTP GET http://10.0.0.1:3000/health: 401 Unauthorized Output: {}', /authorization/],
    ['HTTP GET http://10.0.0.1:3000/health: 404 Not Found Output: {}', /health\.path/],
    ['HTTP GET http://10.0.0.1:3000/health: 301 Moved Permanently Output: ', /service\.check\.type/],
    ['HTTP GET http://10.0.0.1:3000/health: 502 Bad Gateway Output: ', /proxy/],
    ['Get "https://10.0.0.1:3000/health": x509: certificate signed by unknown authority', /tlsSkipVerify/],
    ['Get "https://10.0.0.1:3000/health": http: server gave HTTP response to HTTPS client', /http or https/],
    ['dial tcp 10.0.0.1:3000: connect: connection refused', /service\.address/],
    ['Get "http://10.0.0.1:3000/health": context deadline exceeded (Client.Timeout exceeded)', /firewall/],
    ['dial tcp 10.0.0.1:3000: i/o timeout', /firewall/],
    ['TTL expired', /heartbeats/],
    ['rpc error: code = Unimplemented desc = unknown service grpc.health.v1.Health', /nothing answers/],
    ['what no agent says', /registry's host/],
  ])('%s', (output, cause) => {
    expect(likelyCause(output)).toMatch(cause);
  });
});
