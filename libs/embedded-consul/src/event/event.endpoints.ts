import { randomUUID } from 'node:crypto';
import type { Core, Endpoint, UserEvent } from '../core.js';
import { badRequest, permissionDenied, serverError } from '../http/api-error.js';
import { parameter, type ApiReply, type ApiRequest } from '../http/api-request.js';
import { readOptions, waitForChange } from '../state/blocking-query.js';

export const eventEndpoints: readonly Endpoint[] = [
  { path: '/v1/event/fire/', ignoresNamespace: true, methods: { PUT: fire } },
  { path: '/v1/event/list', methods: { GET: list } },
];

const EVENTS = 'events';
const MOST_KEPT = 256;

function fire(core: Core, request: ApiRequest): ApiReply {
  const name = request.rest;
  if (name === '') throw badRequest('Missing name');
  core.datacenter(request);
  if (!eventAuthorizer(core, request).may('event', name, 'write')) throw permissionDenied();
  const event: UserEvent = {
    ID: randomUUID(),
    Name: name,
    Payload: request.body.length > 0 ? request.body.toString('base64') : null,
    NodeFilter: parameter(request, 'node'),
    ServiceFilter: parameter(request, 'service'),
    TagFilter: parameter(request, 'tag'),
    Version: 1,
    LTime: 0,
  };
  if (event.TagFilter && !event.ServiceFilter)
    throw serverError('Cannot provide tag filter without service filter');
  for (const [kind, text] of [
    ['node', event.NodeFilter],
    ['service', event.ServiceFilter],
    ['tag', event.TagFilter],
  ] as const) {
    if (!isPattern(text))
      throw serverError(`Invalid ${kind} filter: error parsing regexp: missing closing ): \`${text}\``);
  }
  if (isForUs(core, event)) {
    core.events.push({ ...event, LTime: core.events.length + 2 });
    core.events.splice(0, core.events.length - MOST_KEPT);
    core.indexes.changed(core.indexes.last, [EVENTS]);
  }
  return { json: event };
}

/** This endpoint answers an unknown token with 500. */
function eventAuthorizer(core: Core, request: ApiRequest): ReturnType<Core['authorizer']> {
  try {
    return core.authorizer(request);
  } catch (error) {
    throw serverError((error as Error).message);
  }
}

/** An agent keeps only the events that match its filters. */
function isForUs(core: Core, event: UserEvent): boolean {
  if (event.NodeFilter && !new RegExp(event.NodeFilter).test(core.options.identity.node)) return false;
  if (!event.ServiceFilter) return true;
  return [...core.agent.services.values()].some(
    ({ name, tags }) =>
      new RegExp(event.ServiceFilter).test(name) &&
      (!event.TagFilter || tags.some((tag) => new RegExp(event.TagFilter).test(tag))),
  );
}

function isPattern(text: string): boolean {
  try {
    new RegExp(text);
    return true;
  } catch {
    return false;
  }
}

async function list(core: Core, request: ApiRequest): Promise<ApiReply> {
  const authorizer = core.authorizer(request);
  const name = parameter(request, 'name');
  const options = readOptions(request);
  const deadline = core.options.clock.now() + options.waitMs;
  for (;;) {
    const events = core.events.filter(
      (event) => (!name || event.Name === name) && authorizer.may('event', event.Name, 'read'),
    );
    const last = events.at(-1);
    const reply = { headers: { 'X-Consul-Index': String(last ? indexOf(last) : 1) }, json: events };
    // The index is derived from the id of the last event: it does not grow, and only shows whether that changed.
    const isSame = last !== undefined && indexOf(last) === options.minIndex;
    if (!isSame || !(await waitForChange(core.blocking, request, [EVENTS], deadline))) return reply;
  }
}

/** The two halves of its id, XORed: it does not grow, and shows which event was the last. */
function indexOf({ ID }: UserEvent): bigint {
  const [upper = '', lower = ''] = /^(.{16})(.{16})$/.exec(ID.replaceAll('-', ''))?.slice(1) ?? [];
  return BigInt(`0x${upper}`) ^ BigInt(`0x${lower}`);
}
