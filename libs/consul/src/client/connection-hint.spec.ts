import { afterEach, describe, expect, it } from '@jest/globals';
import { resolveAgent } from './agent-options.js';
import { connectionHint } from './connection-hint.js';

describe('connectionHint', () => {
  const { NODE_ENV } = process.env;
  afterEach(() => {
    process.env.NODE_ENV = NODE_ENV;
  });
  const hintOf = (url: string, error: unknown): string => {
    const { agent } = resolveAgent({ url }, {});
    return agent ? connectionHint(error, url, agent) : 'its options are wrong';
  };
  const coded = (code: string, message = ''): Error => Object.assign(new Error(message), { code });
  const TLS = 'https://127.0.0.1:8501';
  const PLAIN = 'http://127.0.0.1:8500';

  it.each([
    [coded('EPROTO', 'ssl3_get_record:wrong version number'), /does not speak TLS at this port/],
    [coded('EPROTO', 'tls: packet length too long'), /does not speak TLS at this port/],
    [coded('SELF_SIGNED_CERT_IN_CHAIN'), /set agent.tls.caFile or CONSUL_CACERT/],
    [coded('UNABLE_TO_VERIFY_LEAF_SIGNATURE'), /set agent.tls.caFile or CONSUL_CACERT/],
    [coded('ERR_TLS_CERT_ALTNAME_INVALID'), /set agent.tls.serverName/],
    [coded('CERT_HAS_EXPIRED'), /renew it, or set the clock/],
    [coded('X', 'tlsv13 alert certificate required'), /Does the agent want a client certificate/],
    [coded('UND_ERR_SOCKET', 'other side closed'), /Does the agent want a client certificate/],
    [coded('ECONNRESET'), /Does the agent want a client certificate/],
  ])('of TLS: %s', (error, hint) => {
    expect(hintOf(TLS, error)).toMatch(hint);
    expect(hintOf(TLS, new Error('fetch failed', { cause: error }))).toMatch(hint);
    expect(hintOf(TLS, new AggregateError([new Error('x'), error]))).toMatch(hint);
  });

  it('asks whether there is an agent, and says how to start one for development', () => {
    const question = `Is a Consul agent listening at ${PLAIN}? See agent.url or CONSUL_HTTP_ADDR`;
    const command = '. To start one for development: npx -p @rookery/embedded-consul embedded-consul';
    expect(hintOf(PLAIN, coded('ECONNREFUSED'))).toBe(question + command);
    expect(hintOf(PLAIN, coded('ECONNRESET'))).toBe(question);
    expect(hintOf('http://10.0.0.1:8500', coded('ECONNREFUSED'))).not.toContain(command);
    process.env.NODE_ENV = 'production';
    expect(hintOf(PLAIN, coded('ECONNREFUSED'))).toBe(question);
  });
});
