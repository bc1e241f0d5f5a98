/** The module that an app imports to inject what this package provides. */
const MODULE = 'ConsulModule or EtcdModule';

/** `DiscoveryService, provided by ConsulModule or EtcdModule`: the form of every name that Nest may show. */
export function withProvider(name: string): string {
  return `${name}, provided by ${MODULE}`;
}

/**
 * For a class that apps inject. Where the module is not imported, the only word of ours in Nest's error is the name of the
 * class, so that it has to carry the cure. It also distinguishes our `DiscoveryService` from that of `@nestjs/core`.
 */
export function NamesItsModule(): ClassDecorator {
  return (target) => {
    Object.defineProperty(target, 'name', { value: withProvider(target.name), configurable: true });
  };
}
