import type { AppState } from './dashboard-state.js';

/**
 * Whether the answer of another app has what the page reads of it. Of another version, from behind an interceptor that wraps every answer, or of whatever
 * has registered, it may be anything.
 */
export function isAppState(value: unknown): value is AppState {
  const { app, services } = fieldsOf(value);
  const { id, service } = fieldsOf(app);
  return isText(id) && (service === undefined || isText(service)) && isListOf(services, isCard);
}

function isCard(value: unknown): boolean {
  const { name, instances, calls } = fieldsOf(value);
  return isText(name) && isListOf(instances, isInstance) && (calls === undefined || areFigures(calls));
}

function isInstance(value: unknown): boolean {
  const { key, id, state } = fieldsOf(value);
  return [key, id, state].every(isText);
}

function areFigures(value: unknown): boolean {
  const { perSecond, failedPerSecond } = fieldsOf(value);
  return typeof perSecond === 'number' && typeof failedPerSecond === 'number';
}

function isListOf(value: unknown, isOne: (each: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(isOne);
}

function isText(value: unknown): boolean {
  return typeof value === 'string';
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
