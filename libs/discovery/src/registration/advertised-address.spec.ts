import { describe, expect, it } from '@jest/globals';
import { addressTowards, chooseAddress, type AddressFacts } from './advertised-address.js';

const facts: AddressFacts = {
  option: undefined,
  bound: '::',
  registryHost: '127.0.0.1',
  registryKnowsNodeAddress: true,
  towardsRegistry: '127.0.0.1',
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

  it('takes the one address that the server is bound to', () => {
    expect(chooseAddress({ ...facts, bound: '10.0.0.7' })).toEqual({
      address: '10.0.0.7',
      checkHost: '10.0.0.7',
      checkIsRemote: false,
    });
  });

  it("takes the user's choice before all, but is checked where it listens", () => {
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

  it('never leaves it to a registry that knows no node', () => {
    expect(chooseAddress({ ...facts, registryKnowsNodeAddress: false }).address).toBe('127.0.0.1');
  });
});

describe('addressTowards', () => {
  it('finds the address that routes to a host, by name as well', async () => {
    expect(await addressTowards('127.0.0.1')).toBe('127.0.0.1');
    expect(await addressTowards('localhost')).toMatch(/^(127\.0\.0\.1|::1)$/);
  });

  it('has none for a host that does not exist', async () => {
    expect(await addressTowards('no-such-host.invalid')).toBeUndefined();
  });
});
