import { brief, isHost } from '@rookery/discovery/adapter';
import type { ServiceEntry } from '../client/api/types.js';

const MAX_PORT = 65_535;
const MAX_WEIGHT = 65_535;

/**
 * Why an entry of a list of instances cannot be used; undefined: it can. An agent accepts almost anything as an address or a port,
 * and one such instance must not harm the others.
 */
export function invalidReason(entry: unknown): string | undefined {
  const { Node: node, Service: service, Checks: checks } = fieldsOf(entry);
  const { ID: id, Service: name, Address: own, Port: port, Tags: tags } = fieldsOf(service);
  const { Meta: meta, Weights: weights } = fieldsOf(service);
  if (typeof id !== 'string' || typeof name !== 'string') return 'it lacks its id or its service';
  if (typeof fieldsOf(node).Node !== 'string') return 'it lacks its node';
  const address = own === undefined || own === null || own === '' ? fieldsOf(node).Address : own;
  if (typeof address !== 'string') return `its address is ${brief(address)}, not a string`;
  if (!isHost(address)) return `its address is ${brief(address)}, not a host name or an IP address`;
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > MAX_PORT)
    return `its port is ${brief(port)}, not an integer from 1 to ${MAX_PORT}`;
  if (!isAbsent(tags) && !(Array.isArray(tags) && tags.every((tag) => typeof tag === 'string')))
    return 'its tags are not an array of strings';
  if (!isAbsent(meta) && !Object.values(fieldsOf(meta)).every((value) => typeof value === 'string'))
    return 'its meta is not an object of strings';
  const [weightName, weight] = Object.entries(fieldsOf(weights)).find(([, value]) => !isWeight(value)) ?? [];
  if (weightName !== undefined)
    return `its weight ${weightName} is ${brief(weight)}, not an integer from 0 to ${MAX_WEIGHT}`;
  const { Datacenter: datacenter, Meta: nodeMeta } = fieldsOf(node);
  if (
    ![datacenter, ...Object.values(fieldsOf(nodeMeta))].every(
      (text) => isAbsent(text) || typeof text === 'string',
    )
  )
    return 'its node has a datacenter or a meta that is not a string';
  // A prepared query returns null for no checks.
  const isChecked =
    checks === null ||
    (Array.isArray(checks) && checks.every((check) => typeof fieldsOf(check).Status === 'string'));
  return isChecked ? undefined : 'its checks are not an array of checks';
}

export function isValidEntry(entry: unknown): entry is ServiceEntry {
  return invalidReason(entry) === undefined;
}

/** Whether it is an instance at all: one that is not comes from something else than Consul. */
export function isEntry(entry: unknown): boolean {
  const { ID: id, Service: name } = fieldsOf(fieldsOf(entry).Service);
  return typeof id === 'string' && typeof name === 'string';
}

function isWeight(value: unknown): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_WEIGHT;
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

/** For messages. */
export function idOf(entry: unknown): string {
  const { ID: id } = fieldsOf(fieldsOf(entry).Service);
  return typeof id === 'string' ? id : '(no id)';
}
