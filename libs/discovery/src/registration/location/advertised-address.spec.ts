import { describe, expect, it } from '@jest/globals';
import {
  addressTowards,
  addressWithin,
  chooseAddress,
  externalAddress,
  type AddressFacts,
} from './advertised-address.js';

const facts: AddressFacts = {
  option: undefined,
  preferred: undefined,
  bound: '::',
  registryHost: '127.0.0.1',
  registryKnowsNodeAddress: true,
  towardsRegistry: '127.0.0.1',
  external: '10.0.0.4',
};

describe('chooseAddress', () => {
  it("leaves it to the agent's node when the agent is on this host", () => {
    expect(chooseAddress(facts)).toEqual({
      address: undefined,
      checkHost: '127.0.0.1',
      checkIsRemote: false,
    });
    expect(chooseAddress({ ...facts, registryHost: undefined })).toEqual({
      address: undefined,
      checkHost: '127.0.0.1',
      checkIsRemote: false,
    });
  });

  it('takes the interface that routes to an agent elsewhere', () => {
    const elsewhere = { ...facts, registryHost: '10.0.0.9', towardsRegistry: '10.0.0.5' };
    expect(chooseAddress(elsewhere)).toEqual({
      address: '10.0.0.5',
      checkHost: '10.0.0.5',
      checkIsRemote: false,
    });
  });

  it('takes no loopback address where an agent elsewhere cannot be routed to yet', () => {
    const elsewhere = { ...facts, registryHost: 'consul', towardsRegistry: undefined };
    expect(chooseAddress(elsewhere).address).toBe('10.0.0.4');
    expect(chooseAddress({ ...elsewhere, external: undefined }).address).toBe('127.0.0.1');
    const withoutNodes = { ...facts, registryKnowsNodeAddress: false, towardsRegistry: undefined };
    expect(chooseAddress(withoutNodes).address).toBe('127.0.0.1');
  });

  it('uses the one address that the server is bound to', () => {
    expect(chooseAddress({ ...facts, bound: '10.0.0.7' })).toEqual({
      address: '10.0.0.7',
      checkHost: '10.0.0.7',
      checkIsRemote: false,
    });
  });

  it('prefers the configured address, but is checked where it listens', () => {
    expect(chooseAddress({ ...facts, option: 'books.example' })).toEqual({
      address: 'books.example',
      checkHost: 'books.example',
      checkIsRemote: true,
    });
    expect(chooseAddress({ ...facts, option: '203.0.113.1', bound: '10.0.0.7' })).toEqual({
      address: '203.0.113.1',
      checkHost: '10.0.0.7',
      checkIsRemote: false,
    });
  });

  it('prefers an address of a preferred network to any detected one', () => {
    expect(chooseAddress({ ...facts, preferred: '10.1.0.4' })).toEqual({
      address: '10.1.0.4',
      checkHost: '10.1.0.4',
      checkIsRemote: false,
    });
    expect(chooseAddress({ ...facts, preferred: '10.1.0.4', option: 'configured' }).address).toBe(
      'configured',
    );
  });

  it('always sends an address to a registry without nodes', () => {
    expect(chooseAddress({ ...facts, registryKnowsNodeAddress: false }).address).toBe('127.0.0.1');
  });
});

describe('addressTowards', () => {
  it('finds the address that routes to a host, by name as well', async () => {
    expect(await addressTowards('127.0.0.1')).toBe('127.0.0.1');
    expect(await addressTowards('localhost')).toMatch(/^(127\.0\.0\.1|::1)$/);
  });

  it('has none where there is no route: not the address of a socket that is bound to all', async () => {
    // A link-local address without its interface.
    expect(await addressTowards('fe80::1')).toBeUndefined();
  });

  it('has none for a host that does not exist', async () => {
    expect(await addressTowards('no-such-host.invalid')).toBeUndefined();
  });
});

describe('externalAddress', () => {
  const at = (address: string, family: string, internal = false): never =>
    ({ address, family, internal }) as never;

  it('is the first that others may reach', () => {
    const lo = [at('127.0.0.1', 'IPv4', true), at('::1', 'IPv6', true)];
    const eth0 = [at('fe80::1', 'IPv6'), at('fd00::7', 'IPv6'), at('169.254.1.1', 'IPv4')];
    expect(externalAddress({ lo, eth0 })).toBe('fd00::7');
    expect(externalAddress({ lo, eth0, eth1: [at('10.2.0.7', 'IPv4')] })).toBe('10.2.0.7');
    expect(externalAddress({ lo })).toBeUndefined();
  });
});

describe('F40 addressWithin', () => {
  const at = (address: string): never => ({ address }) as never;
  const interfaces = {
    lo: [at('127.0.0.1'), at('::1')],
    docker0: [at('172.17.0.1')],
    eth0: [at('10.2.0.7'), at('fd00::7')],
    eth1: [at('192.168.1.7')],
  };

  it('uses the first network with an address, whatever the order of the interfaces', () => {
    expect(addressWithin(['192.168.0.0/16', '10.0.0.0/8'], interfaces)).toBe('192.168.1.7');
    expect(addressWithin(['172.16.0.0/16', '10.0.0.0/8', '0.0.0.0/0'], interfaces)).toBe('10.2.0.7');
    expect(addressWithin(['fd00::/8', '10.0.0.0/8'], interfaces)).toBe('fd00::7');
  });

  it('has none where no network fits', () => {
    expect(addressWithin(['11.0.0.0/8'], interfaces)).toBeUndefined();
    expect(addressWithin([], interfaces)).toBeUndefined();
  });
});
