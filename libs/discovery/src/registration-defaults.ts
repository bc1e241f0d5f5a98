import { toMilliseconds } from './configuration/duration.js';
import { configInvalid } from './configuration/validate-options.js';
import type { DiscoveryOptions } from './discovery-options.js';
import type { RegistrationOptions } from './registration/registration.service.js';
import { addressSchema, type ServiceOptions } from './registration/options/service-options.js';

export const DEFAULT_HEALTH_PATH = '/health';

type FromOptions = Pick<
  RegistrationOptions,
  'services' | 'healthPath' | 'startup' | 'shutdown' | 'environment'
>;

/**
 * What the options and the environment say of the registration, complete.
 *
 * @throws DiscoveryError `RK_CONFIG_INVALID` when `ROOKERY_ADDRESS` is no address
 */
export function registrationOptions(
  { service = [], health, startup = 'background', shutdown = {} }: DiscoveryOptions,
  environment: NodeJS.ProcessEnv,
): FromOptions {
  const { deregisterTimeout = '3s', drain = '10s', inFlight = '30s', timeout = '45s' } = shutdown;
  return {
    services: Array.isArray(service) ? (service as readonly ServiceOptions[]) : [service as ServiceOptions],
    healthPath: health?.path ?? DEFAULT_HEALTH_PATH,
    startup,
    shutdown: {
      deregister: shutdown.deregister ?? true,
      deregisterTimeout: toMilliseconds(deregisterTimeout, 'shutdown.deregisterTimeout'),
      drain: toMilliseconds(drain, 'shutdown.drain'),
      inFlight: toMilliseconds(inFlight, 'shutdown.inFlight'),
      total: toMilliseconds(timeout, 'shutdown.timeout'),
    },
    environment: {
      address: addressOf(given(environment.ROOKERY_ADDRESS)),
      zone: given(environment.ROOKERY_ZONE),
    },
  };
}

/** A variable that is set to nothing is as good as none. */
function given(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

function addressOf(text: string | undefined): string | undefined {
  const result = addressSchema.optional().safeParse(text);
  if (result.success) return text;
  throw configInvalid('environment', [
    {
      field: 'ROOKERY_ADDRESS',
      value: JSON.stringify(text),
      cure: result.error.issues.map(({ message }) => message).join('; '),
    },
  ]);
}
