import axios, { AxiosHeaders, type AxiosRequestTransformer, type InternalAxiosRequestConfig } from 'axios';

const [DEFAULT] = axios.defaults.transformRequest as AxiosRequestTransformer[];
const FORM = 'application/x-www-form-urlencoded';

/** Transforms the data of a request, and completes its type, as axios does. */
export function transformRequest(config: InternalAxiosRequestConfig): void {
  const headers = (config.headers = AxiosHeaders.from(config.headers));
  if (isDefault(config.transformRequest) && isJson(config.data, headers)) {
    if (config.data !== undefined) {
      headers['Content-Type'] = 'application/json';
      config.data = JSON.stringify(config.data);
    }
  } else {
    const transformers = config.transformRequest ?? [];
    let data: unknown = config.data;
    for (const transform of Array.isArray(transformers) ? transformers : [transformers])
      data = transform.call(config, data, headers.normalize(false));
    headers.normalize(false);
    config.data = data;
  }
  const { method } = config;
  if (method === 'post' || method === 'put' || method === 'patch') {
    if (Object.hasOwn(headers, 'Content-Type')) headers['Content-Type'] ??= FORM;
    else headers.setContentType(FORM, false);
  }
}

function isDefault(transformers: InternalAxiosRequestConfig['transformRequest']): boolean {
  return Array.isArray(transformers) && transformers.length === 1 && transformers[0] === DEFAULT;
}

/** Whether axios would make JSON of it, or nothing, and nothing else is to be decided. */
function isJson(data: unknown, headers: AxiosHeaders): boolean {
  if (!Object.hasOwn(headers, 'Content-Type') || headers['Content-Type'] !== undefined) return false;
  if (data === undefined) return true;
  if (typeof data !== 'object' || data === null) return false;
  // Forms, files, buffers, streams and other bodies with a meaning of their own.
  return !(Symbol.toStringTag in data || ArrayBuffer.isView(data) || 'pipe' in data || 'append' in data);
}
