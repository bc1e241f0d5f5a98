import { describe, expect, it } from '@jest/globals';
import { InMemoryRegistry } from '../testing/in-memory.registry.js';
import { READINESS_META, type ServiceInstance } from '../registry/service-instance.js';
import { callHeaderList, callHeaders, headerText, isCallHeader, recipientHeaders } from './call-headers.js';

const instance = (meta: Record<string, string> = {}): ServiceInstance =>
  new InMemoryRegistry().put({ service: 'Bücher', id: 'i', address: '10.0.0.1', port: 80, meta });
const registered = (): ServiceInstance => instance({ [READINESS_META]: '/health/ready' });

describe('the headers of an attempt', () => {
  it('tell how long the caller waits, in whole milliseconds', () => {
    expect(callHeaders(instance(), 1_500.2)).toEqual({ 'rookery-timeout': '1501' });
    expect(callHeaderList(['Accept', 'text/html'], instance(), 1_500.2)).toEqual([
      ...['Accept', 'text/html', 'rookery-timeout', '1501'],
    ]);
  });

  it('carry what travels on; as a list, what the caller set has precedence', () => {
    const context = ['traceparent', '00-1', 'x-tenant', 'blue'];
    expect(callHeaders(instance(), 1, context)).toEqual({
      'rookery-timeout': '1',
      ...{ traceparent: '00-1', 'x-tenant': 'blue' },
    });
    expect(callHeaderList(['X-Tenant', 'red'], instance(), 1, context)).toEqual([
      ...['X-Tenant', 'red', 'rookery-timeout', '1', 'traceparent', '00-1'],
    ]);
    expect(callHeaderList(['a', 'x-tenant'], instance(), 1, context).slice(-2)).toEqual(['x-tenant', 'blue']);
  });

  it('are told from all others', () => {
    const names = ['rookery-timeout', 'rookery-service', 'rookery-address', 'traceparent', 'rookery'];
    expect(names.map(isCallHeader)).toEqual([true, true, true, false, false]);
  });

  it('have any text as ASCII', () => {
    expect(headerText('inventory-2.v1')).toBe('inventory-2.v1');
    expect(headerText('Bücher 100 %')).toBe('B%C3%BCcher%20100%20%25');
    expect(headerText('🗝')).toBe('%F0%9F%97%9D');
    expect(headerText('\ud800')).toBe('%EF%BF%BD');
    expect(headerText('!$&~')).toBe('!$&~');
  });

  it('name the service to an app that Rookery registered', () => {
    expect(recipientHeaders(instance())).toBeUndefined();
    const one = registered();
    const headers = recipientHeaders(one);
    expect(headers).toEqual({ 'rookery-service': 'B%C3%BCcher', 'rookery-address': '10.0.0.1:80' });
    expect(recipientHeaders(one)).toBe(headers);
    expect(callHeaders(one, 5)).toEqual({ 'rookery-timeout': '5', ...headers });
    expect(callHeaderList([], one, 5)).toEqual([
      ...['rookery-timeout', '5', 'rookery-service', 'B%C3%BCcher', 'rookery-address', '10.0.0.1:80'],
    ]);
  });
});
