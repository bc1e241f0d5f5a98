import type { InstanceStatus, ServiceInstance } from '@rookery/discovery';
import { freezeInstance, hostAndPort, isHost } from '@rookery/discovery/adapter';
import { z } from 'zod';

/**
 * What is put: `rookery` is our own JSON, `grpc` that of the resolver of etcd's own client for Go, in which Go apps find us; it has ours as
 * its metadata.
 */
export type InstanceLayout = 'rookery' | 'grpc';

const host = z.string().refine(isHost, { error: 'is not a host name or an IP address' });
const port = z.int({ error: 'is not an integer from 1 to 65535' }).min(1).max(65_535);
const strings = z.record(z.string(), z.string({ error: 'is not a string' }));
const weight = z.number().int().min(0).max(65_535);

const valueSchema = z.object({
  address: host,
  port,
  secure: z.boolean().default(false),
  tags: z.array(z.string()).default([]),
  meta: strings.default({}),
  weights: z.object({ passing: weight, warning: weight }).default({ passing: 1, warning: 1 }),
  zone: z.string().optional(),
  status: z.enum(['passing', 'warning', 'critical']).default('passing'),
  /** What the app says about its status. */
  output: z.string().optional(),
  /** Why it is in maintenance. */
  maintenance: z.string().optional(),
  taggedAddresses: z.record(z.string(), z.object({ address: z.string(), port })).default({}),
  /** The host that it runs on. */
  node: z.string().default(''),
});

/** An instance as it is in etcd. */
export type InstanceValue = z.infer<typeof valueSchema>;

/** Of go-kratos: https://go-kratos.dev/docs/component/registry/ */
const kratosSchema = z.object({
  name: z.string(),
  version: z.string().optional(),
  metadata: strings.nullish(),
  endpoints: z.array(z.string()),
});
/** Of `naming/endpoints` in etcd's client for Go. */
const grpcSchema = z.object({ Addr: z.string(), Metadata: z.unknown().optional() });

export type DecodedValue = { readonly value: InstanceValue } | { readonly reason: string };

export function encodeValue(value: InstanceValue, layout: InstanceLayout): string {
  if (layout === 'rookery') return JSON.stringify(value);
  return JSON.stringify({ Op: 0, Addr: hostAndPort(value), Metadata: value });
}

/** A value of ours, of go-kratos, or of etcd's resolver for gRPC; or why it is none of them. */
export function decodeValue(bytes: Buffer): DecodedValue {
  let parsed: unknown;
  try {
    parsed = JSON.parse(bytes.toString('utf8'));
  } catch {
    return { reason: 'its value is not JSON' };
  }
  if (typeof parsed !== 'object' || parsed === null) return { reason: 'its value is not an object' };
  if ('endpoints' in parsed) return fromKratos(parsed);
  if ('Addr' in parsed) return fromGrpc(parsed);
  return fromOwn(parsed);
}

function fromOwn(parsed: unknown): DecodedValue {
  const { success, data, error } = valueSchema.safeParse(parsed);
  return success ? { value: data } : { reason: reasonOf(error) };
}

function fromKratos(parsed: unknown): DecodedValue {
  const { success, data, error } = kratosSchema.safeParse(parsed);
  if (!success) return { reason: reasonOf(error) };
  const urls = data.endpoints.flatMap((text) => (URL.canParse(text) ? new URL(text) : []));
  // One that speaks HTTP is what a client of ours can use best.
  const url = urls.find(({ protocol }) => /^https?:$/.test(protocol)) ?? urls[0];
  if (!url) return { reason: `its endpoints are ${JSON.stringify(data.endpoints)}, of which none is a URL` };
  // URL leaves out the port of a scheme that it knows.
  const ports: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 };
  return fromOwn({
    address: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? ports[url.protocol] : Number(url.port),
    secure:
      url.protocol === 'https:' || url.protocol === 'grpcs:' || url.searchParams.get('isSecure') === 'true',
    meta: { ...(data.version ? { version: data.version } : {}), ...data.metadata },
  });
}

function fromGrpc(parsed: unknown): DecodedValue {
  const { success, data, error } = grpcSchema.safeParse(parsed);
  if (!success) return { reason: reasonOf(error) };
  const own = valueSchema.safeParse(data.Metadata);
  if (own.success) return { value: own.data };
  const [, bracketed, plain, portText] = /^(?:\[(.+)\]|([^:]+)):(\d+)$/.exec(data.Addr) ?? [];
  const address = bracketed ?? plain;
  if (address === undefined) return { reason: `its Addr is ${JSON.stringify(data.Addr)}, not host:port` };
  const meta = strings.safeParse(data.Metadata);
  return fromOwn({ address, port: Number(portText), meta: meta.success ? meta.data : {} });
}

function reasonOf({ issues: [issue] }: z.ZodError): string {
  const field = issue?.path.map(String).join('.') ?? '';
  return field === ''
    ? 'its value is not that of an instance'
    : `its ${field}: ${issue?.message ?? 'is invalid'}`;
}

/** Etcd has neither nodes nor datacenters: those of all instances are the same. */
const DATACENTER = 'etcd';

export function toServiceInstance(
  { service, id }: { readonly service: string; readonly id: string },
  value: InstanceValue,
): ServiceInstance {
  const { address, port: own, secure, tags, meta, weights, zone = meta.zone, node } = value;
  const status = statusOf(value);
  return freezeInstance({
    ...{ id, service, address, port: own, secure, zone, status },
    tags: [...tags],
    meta: { ...meta },
    weight: status === 'warning' ? weights.warning : weights.passing,
    node,
    datacenter: DATACENTER,
  });
}

export function statusOf({ maintenance, status }: InstanceValue): InstanceStatus {
  return maintenance === undefined ? status : 'maintenance';
}
