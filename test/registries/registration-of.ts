import type { ServiceRegistration } from '@rookery/discovery/adapter';
import type { ContractInstance } from '@rookery/discovery/testing';

/** An instance of the contract as an app would register it. */
export function registrationOf({ service, id, port }: ContractInstance): ServiceRegistration {
  return {
    ...{ service, id, port, address: '127.0.0.1', secure: false, tags: [], meta: {}, taggedAddresses: {} },
    ...{
      enableTagOverride: false,
      weights: undefined,
      checks: [],
      status: 'passing',
      maintenance: undefined,
    },
  };
}
