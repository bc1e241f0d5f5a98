import { DiscoveryError, type ServiceInstance, type ServiceSnapshot } from '@rookery/discovery';
import {
  decodedText,
  discoveryPicks,
  hostAndPort,
  isOfRookery,
  type TargetPicks,
  type TlsSettings,
  tlsTo,
} from '@rookery/discovery/adapter';
import type { Subscription } from 'rxjs';
import { describe, localMetadata } from './call-status.js';
import { bindingOf, type ChannelBinding } from './channel-binding.js';
import {
  type Endpoint,
  type GrpcJs,
  type GrpcUri,
  type Resolver,
  type ResolverListener,
  tellEndpoints,
  tellError,
} from './experimental-api.js';
import { NO_LIST, serviceConfigOf } from './service-config.js';

/** `rookery:inventory`. */
export const SCHEME = 'rookery';
/** The attributes that hand the picks on to the load-balancing policy, and why there is no instance. */
export const PICKS = 'rookery.picks';
export const NOTE = 'rookery.note';
/** The addresses of servers that Rookery registered. */
export const REGISTERED = 'rookery.registered';
/** How connections to servers that speak TLS are secured, by address. */
export const SECURED = 'rookery.secured';

/** `rookery:inventory` and `rookery:///inventory`. */
export function serviceOf({ path }: Pick<GrpcUri, 'path'>): string {
  return decodedText(path.replace(/^\/+/, ''));
}

/** The `:authority` of requests has to be that of a host. */
export function authorityOf(target: Pick<GrpcUri, 'path'>): string {
  return serviceOf(target).replaceAll(/[^A-Za-z0-9.-]/g, '-') || 'service';
}

type Constructor = new (
  target: GrpcUri,
  listener: ResolverListener,
  options: Readonly<Record<string, unknown>>,
) => Resolver;

/** The resolver of the scheme, for a copy of @grpc/grpc-js. */
export function serviceResolver(
  grpc: Pick<GrpcJs, 'Metadata' | 'status'>,
): Constructor & { getDefaultAuthority(target: GrpcUri): string } {
  /** Follows the instances of a service, from its first use until the channel is idle or closed. */
  return class ServiceResolver implements Resolver {
    static getDefaultAuthority(target: GrpcUri): string {
      return authorityOf(target);
    }

    readonly #service: string;
    readonly #listener: ResolverListener;
    readonly #options: Readonly<Record<string, unknown>>;
    #subscription: Subscription | undefined;
    /** Of the app that it follows: another one that starts later has other settings. */
    #binding: ChannelBinding | undefined;
    /** What is being told; what comes meanwhile replaces it. */
    #turn = 0;

    constructor(target: GrpcUri, listener: ResolverListener, options: Readonly<Record<string, unknown>>) {
      this.#service = serviceOf(target);
      this.#listener = listener;
      this.#options = options;
    }

    /** Called again and again; later lists come by themselves. */
    updateResolution(): void {
      if (this.#subscription && !this.#subscription.closed) return;
      // Never from within this call; it may be destroyed before, and used again later.
      const turn = this.#turn;
      queueMicrotask(() => {
        if (turn === this.#turn) this.#start();
      });
    }

    destroy(): void {
      this.#turn++;
      this.#subscription?.unsubscribe();
      this.#subscription = undefined;
    }

    #start(): void {
      if (this.#subscription && !this.#subscription.closed) return;
      try {
        const picks = this.#picks();
        const begun = this.#turn;
        this.#subscription = picks.watch().subscribe((snapshot) => {
          const turn = ++this.#turn;
          queueMicrotask(() => {
            if (turn === this.#turn) void this.#tell(picks, snapshot, turn);
          });
        });
        // A registry that does not answer is told to calls that would wait for it.
        picks.ready().catch((error: unknown) => {
          if (this.#turn === begun) this.#fail(error);
        });
      } catch (error) {
        this.#fail(error);
      }
    }

    #picks(): TargetPicks {
      const binding = (this.#binding = bindingOf(this.#options));
      if (binding) return discoveryPicks(binding.discovery, this.#service, binding.options, `${SCHEME}:`);
      throw new DiscoveryError('RK_CONFIG_INVALID', `${SCHEME}:${this.#service}: no app of this process`, {
        hint: 'Import GrpcDiscoveryModule of @rookery/microservices/grpc beside ConsulModule, and await app.init()',
      });
    }

    async #tell(picks: TargetPicks, snapshot: ServiceSnapshot, turn: number): Promise<void> {
      const instances = picks.usableOf(snapshot);
      const note = instances.length === 0 ? describe(await picks.noInstances()) : '';
      if (turn !== this.#turn) return;
      const endpoints = instances.map(({ address, port }): Endpoint => ({
        addresses: [{ host: address, port }],
      }));
      const registered = new Set(instances.filter(isOfRookery).map(hostAndPort));
      const attributes = {
        ...{ [PICKS]: picks, [NOTE]: note, [REGISTERED]: registered },
        [SECURED]: this.#secured(instances),
      };
      tellEndpoints(this.#listener, endpoints, attributes, serviceConfigOf(picks));
    }

    #secured(instances: readonly ServiceInstance[]): ReadonlyMap<string, TlsSettings> {
      const binding = this.#binding;
      return new Map(
        instances.flatMap((instance) => {
          const settings = binding && tlsTo(binding.discovery, instance);
          return settings ? [[hostAndPort(instance), settings] as const] : [];
        }),
      );
    }

    #fail(error: unknown): void {
      const { UNAVAILABLE: code } = grpc.status;
      const failed = { code, details: describe(error), metadata: localMetadata(grpc) };
      tellError(this.#listener, failed, NO_LIST);
    }
  };
}
