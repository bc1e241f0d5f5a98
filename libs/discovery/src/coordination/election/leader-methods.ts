import { DiscoveryError } from '../../errors/discovery-error.js';

const LEADER_METHODS = 'rookery:leader-methods';

/** A method with `@OnlyLeader`. */
export interface LeaderMethod {
  readonly key: string;
  /** Undefined: `Class.method`. */
  readonly job: string | undefined;
  readonly method: string | symbol;
}

export function noteLeaderMethod(constructor: object, noted: LeaderMethod): void {
  // A method that overrides one with the same decorator takes its place.
  const known = leaderMethodsOf(constructor).filter(({ method }) => method !== noted.method);
  Reflect.defineMetadata(LEADER_METHODS, [...known, noted], constructor);
}

/** Those of a class, and of the classes that it extends. */
export function leaderMethodsOf(constructor: object): readonly LeaderMethod[] {
  return (Reflect.getMetadata(LEADER_METHODS, constructor) as readonly LeaderMethod[] | undefined) ?? [];
}

/**
 * The keys of the elections of these classes.
 *
 * @throws DiscoveryError `RK_CONFIG_INVALID` when two methods of one election have the same name: they would take ticks from each other
 */
export function electionsOf(classes: Iterable<{ readonly name: string }>): readonly string[] {
  const jobs = new Set<string>();
  const keys = new Set<string>();
  for (const type of new Set(classes))
    for (const { key, job, method } of leaderMethodsOf(type)) {
      const name = job ?? `${type.name}.${String(method)}`;
      const id = `${key}/ticks/${name}`;
      if (jobs.has(id)) {
        throw new DiscoveryError('RK_CONFIG_INVALID', `@OnlyLeader('${key}'): two jobs are called ${name}`, {
          hint: "Give one of them a name: @OnlyLeader(key, { job: 'name' })",
        });
      }
      jobs.add(id);
      keys.add(key);
    }
  return [...keys];
}
