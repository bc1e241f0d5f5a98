import type { HttpSettings } from '../../calling/options/http-options.js';
import { CONTEXT_PATH_META, type ServiceInstance } from '../../registry/service-instance.js';

/** What precedes every path of the instance, if the settings ask for it. */
export function contextPath(instance: ServiceInstance, settings: HttpSettings): string {
  return settings.contextPath ? contextPathOf(instance) : '';
}

/** As Spring publishes it: `/api`, or `api/`; empty where there is none, or none that can precede a path. */
function contextPathOf({ meta }: ServiceInstance): string {
  const path = (meta[CONTEXT_PATH_META] ?? '').replace(/^\/+|\/+$/g, '');
  return path === '' || !CONTEXT_PATH.test(path) || path.split('/').includes('..') ? '' : `/${path}`;
}

/** Segments of a path (RFC 3986, 3.3). */
const CONTEXT_PATH = /^[\w.~%!$&'()*+,;=:@/-]+$/;
