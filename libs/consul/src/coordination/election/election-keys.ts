const ELECTION_KEYS = 'rookery:election-keys';

/** Notes that a method of a class is for the leader of an election. */
export function noteElection(constructor: object, key: string): void {
  const known = electionsOf(constructor);
  if (!known.includes(key)) Reflect.defineMetadata(ELECTION_KEYS, [...known, key], constructor);
}

/** The elections of a class, and of those that it extends. */
export function electionsOf(constructor: object): readonly string[] {
  return (Reflect.getMetadata(ELECTION_KEYS, constructor) as readonly string[] | undefined) ?? [];
}
