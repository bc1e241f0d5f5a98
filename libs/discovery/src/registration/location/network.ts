import { BlockList, isIP } from 'node:net';

/** A set of addresses, such as `10.0.0.0/8`. */
export interface Network {
  contains(address: string): boolean;
}

/** Undefined when the string is not a network in CIDR notation (RFC 4632, RFC 4291). */
export function parseNetwork(cidr: string): Network | undefined {
  const [, address = '', prefix = ''] = /^([^/]+)\/(\d{1,3})$/.exec(cidr) ?? [];
  const family = isIP(address);
  const bits = Number(prefix);
  if (family === 0 || bits > (family === 4 ? 32 : 128)) return undefined;
  const list = new BlockList();
  list.addSubnet(address, bits, family === 4 ? 'ipv4' : 'ipv6');
  return {
    contains: (candidate) =>
      isIP(candidate) === family && list.check(candidate, family === 4 ? 'ipv4' : 'ipv6'),
  };
}
