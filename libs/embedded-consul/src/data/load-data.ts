import { serviceDefinition, type ServiceBody } from '../agent/service-schema.js';
import { registrationOf } from '../agent/registration.js';
import type { Core } from '../core.js';
import { decodeGo } from '../json/go-json-decoder.js';
import { KV } from '../kv/kv-store.js';

/** What is there from the beginning. */
export interface EmbeddedData {
  /** Each as `PUT /v1/agent/service/register` takes it. */
  readonly services?: readonly object[];
  /** By key: a text as it is, anything else as JSON. */
  readonly kv?: Readonly<Record<string, unknown>>;
}

const FIELDS: ReadonlySet<string> = new Set(['services', 'kv']);

/** @throws Error that names the field, and what Consul says of it */
export function loadData(core: Core, data: EmbeddedData): void {
  const unknown = Object.keys(data).find((field) => !FIELDS.has(field));
  if (unknown !== undefined) throw new Error(`data.${unknown}: there are only ${[...FIELDS].join(' and ')}`);
  const { services = [], kv = {} } = data;
  if (!Array.isArray(services))
    throw new Error(
      'data.services: must be a list of services, as PUT /v1/agent/service/register takes them',
    );
  services.forEach((service, index) => {
    try {
      const body = decodeGo(JSON.stringify(service), serviceDefinition) as ServiceBody;
      const { agent, options } = core;
      agent.register(registrationOf(body, agent.services.values(), options.enableScriptChecks), false);
    } catch (error) {
      throw new Error(`data.services[${index}]: ${(error as Error).message}`, { cause: error });
    }
  });
  if (Array.isArray(kv) || Object(kv) !== kv)
    throw new Error('data.kv: must be an object of keys and their values');
  core.write([KV], (index) => {
    for (const [key, value] of Object.entries(kv)) {
      if (key === '') throw new Error('data.kv: a key must not be empty');
      const text = typeof value === 'string' ? value : JSON.stringify(value);
      core.kv.put(index, key, Buffer.from(text), 0n);
    }
  });
}
