import type { DiscoveryService as ProviderScanner } from '@nestjs/core';

export interface ProvidedInstances {
  /** Each provider and controller that exists as long as the app, once. */
  readonly instances: ReadonlySet<object>;
  /** The classes whose objects are made for a request: there is none when nothing is requested. */
  readonly requestScoped: readonly ProvidedClass[];
}

export interface ProvidedClass {
  readonly name: string;
  readonly prototype: object;
}

/** The objects that Nest has made for the providers and controllers of an app, for decorators on their members. */
export function providedInstances(scanner: ProviderScanner): ProvidedInstances {
  const instances = new Set<object>();
  const requestScoped = new Set<ProvidedClass>();
  for (const wrapper of [...scanner.getProviders(), ...scanner.getControllers()]) {
    if (!wrapper.isDependencyTreeStatic()) {
      const type: unknown = wrapper.metatype;
      if (isClass(type)) requestScoped.add(type);
      continue;
    }
    const created = wrapper.isTransient
      ? wrapper.getStaticTransientInstances().map((transient) => transient?.instance as unknown)
      : [wrapper.instance as unknown];
    for (const instance of created)
      if (typeof instance === 'object' && instance !== null) instances.add(instance);
  }
  return { instances, requestScoped: [...requestScoped] };
}

/** Anything else has no members with decorators: an arrow function that is a factory has no prototype at all. */
function isClass(type: unknown): type is ProvidedClass {
  return typeof type === 'function' && typeof type.prototype === 'object' && type.prototype !== null;
}
