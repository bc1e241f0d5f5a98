import axios, {
  AxiosHeaders,
  type AxiosResponse,
  type AxiosResponseTransformer,
  type InternalAxiosRequestConfig,
} from 'axios';

const [DEFAULT] = axios.defaults.transformResponse as AxiosResponseTransformer[];

/** Transforms the data of a response as axios does; its default makes an object of JSON, and leaves what is none. */
export function transformResponse(config: InternalAxiosRequestConfig, response: AxiosResponse): void {
  const transformers = config.transformResponse ?? [];
  const isDefault =
    Array.isArray(transformers) &&
    transformers.length === 1 &&
    transformers[0] === DEFAULT &&
    isPlain(config);
  if (isDefault && typeof response.data === 'string') {
    response.data = parsed(response.data);
    return;
  }
  const headers = (response.headers = AxiosHeaders.from(response.headers as AxiosHeaders));
  // Where axios's default looks for the response of an error.
  const holder = config as { response?: AxiosResponse };
  holder.response = response;
  try {
    let data: unknown = response.data;
    for (const transform of Array.isArray(transformers) ? transformers : [transformers])
      data = transform.call(config, data, headers.normalize(false), response.status);
    response.data = data;
  } finally {
    delete holder.response;
  }
  headers.normalize(false);
}

/** Nothing changes axios's rule: text that is no JSON stays text. */
function isPlain({ responseType, transitional, parseReviver }: InternalAxiosRequestConfig): boolean {
  return !responseType && parseReviver === undefined && transitional?.forcedJSONParsing === true;
}

function parsed(data: string): unknown {
  if (data === '') return data;
  try {
    return JSON.parse(data) as unknown;
  } catch {
    return data;
  }
}
