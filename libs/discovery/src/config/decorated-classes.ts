/** The classes that use the decorators of live configuration, as they were loaded. */
const names = new Set<string>();

export function noteDecorated(prototype: object): void {
  names.add(prototype.constructor.name);
}

export function decoratedClasses(): readonly string[] {
  return [...names];
}
