import type { Core } from '../core.js';
import { ApiError } from '../http/api-error.js';
import type { ApiReply, ApiRequest } from '../http/api-request.js';

/** @throws ApiError 401 while ACLs are off */
export function requireAcl(core: Core): void {
  if (!core.acl.enabled) throw new ApiError(401, 'ACL support disabled');
}

/** @throws ApiError 403 */
export function requireAclWrite(core: Core, request: ApiRequest): void {
  if (!core.authorizer(request).mayAcl('write')) throw new ApiError(403, 'Permission denied');
}

/** A list, or one record, of the servers; `undefined` is answered like a token that is missing. */
export async function readAcl(
  core: Core,
  request: ApiRequest,
  topic: string,
  find: () => unknown,
): Promise<ApiReply> {
  if (!core.serversAuthorizer(request).mayAcl('read')) throw new ApiError(403, 'Permission denied', true);
  return readAclOf(core, request, topic, find);
}

/** Like `readAcl`, of what a token may read of itself. */
export async function readAclOf(
  core: Core,
  request: ApiRequest,
  topic: string,
  find: () => unknown,
): Promise<ApiReply> {
  const { body, headers } = await core.read(
    request,
    () => [topic],
    () => ({ index: core.indexes.of(topic), body: find() }),
  );
  return body === undefined ? { status: 403, headers, text: 'ACL not found' } : { headers, json: body };
}

/** What Consul says of an id that is none. */
export const NO_UUID = 'index error: UUID must be 36 characters';

export function isUuid(id: string): boolean {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(id);
}

/** Letters, digits, `-` and `_`, up to 128 of them. */
export function isAclName(name: string): boolean {
  return /^[A-Za-z0-9_-]{1,128}$/.test(name);
}
