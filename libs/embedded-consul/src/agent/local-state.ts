import { createHash } from 'node:crypto';
import type { ProxyRecord } from './proxy.js';
import type { CheckBody } from './service-schema.js';

/** A service that this agent holds. */
export interface LocalService {
  readonly id: string;
  readonly name: string;
  readonly tags: string[];
  readonly meta: Record<string, string>;
  readonly port: number;
  readonly address: string;
  readonly taggedAddresses: Record<string, { Address: string; Port: number }> | undefined;
  readonly weights: { Passing: number; Warning: number };
  readonly enableTagOverride: boolean;
  readonly kind: string;
  readonly native: boolean;
  readonly proxy: ProxyRecord;
  /** The service that it was registered with, and goes with. */
  readonly sidecarOf: string | undefined;
}

/** A check that this agent holds, and its state. */
export interface LocalCheck {
  readonly id: string;
  readonly name: string;
  readonly notes: string;
  readonly serviceId: string;
  readonly type: string;
  readonly definition: CheckBody;
  status: string;
  output: string;
  /** When it last became critical, for the reaper. */
  criticalSince: number | undefined;
  /** Ends its timers and probes. */
  stop: () => void;
}

/** As `/v1/agent/services` and `/v1/agent/service/:id` write it. */
export function renderLocalService(service: LocalService): Record<string, unknown> {
  return {
    ...(service.kind ? { Kind: service.kind } : {}),
    ID: service.id,
    Service: service.name,
    Tags: service.tags,
    Meta: service.meta,
    Port: service.port,
    Address: service.address,
    ...(service.taggedAddresses ? { TaggedAddresses: service.taggedAddresses } : {}),
    Weights: service.weights,
    EnableTagOverride: service.enableTagOverride,
    ...(service.native ? { Connect: { Native: true } } : {}),
    ...(service.kind === 'connect-proxy' ? { Proxy: service.proxy } : {}),
  };
}

export function contentHash(service: LocalService): string {
  return createHash('sha256').update(JSON.stringify(service)).digest('hex').slice(0, 16);
}
