import type { AxiosInstance, InternalAxiosRequestConfig } from 'axios';
import { answer, json, requested, type ContractCase, type Handler } from './case.js';

/** Interceptors are removed again, since all cases share an instance. */
function intercepted(
  name: string,
  use: (http: AxiosInstance, note: (text: string) => void) => void,
  handle?: Handler,
): ContractCase {
  return {
    name: `interceptors: ${name}`,
    ...(handle ? { handle } : {}),
    send: async (http, path) => {
      const notes: string[] = [];
      use(http, (text) => notes.push(text));
      try {
        const response = await http.post<unknown>(path, { a: 1 });
        return { notes, status: response.status, data: response.data };
      } catch (error) {
        const { message, code } = error as { message?: string; code?: string };
        return { notes, message, code };
      } finally {
        http.interceptors.request.clear();
        http.interceptors.response.clear();
      }
    },
  };
}

const noting =
  (note: (text: string) => void, text: string) =>
  (config: InternalAxiosRequestConfig): InternalAxiosRequestConfig => {
    note(text);
    return config;
  };

const INTERCEPTORS: readonly ContractCase[] = [
  intercepted(
    'of responses, for a request that could not be transformed',
    ({ interceptors, defaults }, note) => {
      const { transformRequest } = defaults;
      defaults.transformRequest = () => {
        if (transformRequest) defaults.transformRequest = transformRequest;
        throw new TypeError('not that');
      };
      interceptors.response.use(undefined, (error: Error) => {
        note(error.message);
        throw error;
      });
    },
  ),
  intercepted('requests from the last to the first', ({ interceptors }, note) => {
    for (const text of ['a', 'b', 'c']) interceptors.request.use(noting(note, text));
  }),
  intercepted('synchronous ones', ({ interceptors }, note) => {
    for (const text of ['a', 'b']) interceptors.request.use(noting(note, text), null, { synchronous: true });
  }),
  intercepted('one of two synchronous', ({ interceptors }, note) => {
    interceptors.request.use(noting(note, 'a'), null, { synchronous: true });
    interceptors.request.use(noting(note, 'b'));
  }),
  intercepted('runWhen', ({ interceptors }, note) => {
    interceptors.request.use(noting(note, 'never'), null, { runWhen: () => false });
    interceptors.request.use(noting(note, 'post'), null, { runWhen: ({ method }) => method === 'post' });
  }),
  intercepted('responses from the first to the last', ({ interceptors }, note) => {
    for (const text of ['a', 'b'])
      interceptors.response.use((response) => {
        note(text);
        return response;
      });
  }),
  intercepted('ejected', ({ interceptors }, note) => {
    const id = interceptors.request.use(noting(note, 'a'));
    interceptors.request.use(noting(note, 'b'));
    interceptors.request.eject(id);
  }),
  intercepted('a request that throws', ({ interceptors }, note) => {
    interceptors.request.use(() => {
      throw new Error('not allowed');
    });
    interceptors.response.use(undefined, (error: Error) => {
      note(error.message);
      throw error;
    });
  }),
  intercepted('a synchronous one that throws', ({ interceptors }) => {
    interceptors.request.use(
      () => {
        throw new Error('not allowed');
      },
      null,
      { synchronous: true },
    );
  }),
  intercepted('a request that recovers', ({ interceptors }, note) => {
    interceptors.request.use(noting(note, 'after'), () => {
      note('recovering');
      throw new Error('no');
    });
    interceptors.request.use(() => {
      throw new Error('not allowed');
    });
  }),
  intercepted(
    'an error that is handled',
    ({ interceptors }, note) => {
      interceptors.response.use(undefined, (error: { response?: { status: number } }) => {
        note(String(error.response?.status));
        return { status: 299, data: 'handled' };
      });
    },
    json({ a: 1 }, 500),
  ),
  intercepted('a response that is replaced', ({ interceptors }) => {
    interceptors.response.use((response) => ({ ...response, data: 'replaced' }));
  }),
  intercepted('a response that is awaited', ({ interceptors }) => {
    interceptors.response.use(async (response) => {
      await Promise.resolve();
      return response;
    });
  }),
  intercepted(
    'a header that is set',
    ({ interceptors }) => {
      interceptors.request.use((config) => {
        config.headers.set('x-a', 'b');
        config.headers['x-c'] = 'd';
        return config;
      });
    },
    (request, response) => response.end(JSON.stringify([request.headers['x-a'], request.headers['x-c']])),
  ),
  intercepted(
    'a header that is removed',
    ({ interceptors }) => {
      interceptors.request.use((config) => {
        config.headers.delete('Accept');
        return config;
      });
    },
    (request, response) => response.end(JSON.stringify(request.headers.accept ?? 'none')),
  ),
  intercepted(
    'a URL, params, method and data that are changed',
    ({ interceptors }) => {
      interceptors.request.use((config) => {
        config.url = `${config.url ?? ''}/more`;
        config.params = { x: 1 };
        config.method = 'put';
        config.data = { changed: true };
        return config;
      });
    },
    (request, response, body) =>
      response.end(JSON.stringify([request.method, request.url?.replace(/^\/\d+/, ''), body.toString()])),
  ),
  intercepted(
    'a config that is another object',
    ({ interceptors }) => {
      interceptors.request.use((config) => ({ ...config, params: { copied: 1 } }));
    },
    (request, response) => response.end(JSON.stringify(request.url?.replace(/^\/\d+/, ''))),
  ),
  intercepted(
    'an option that only axios knows',
    ({ interceptors }) => {
      interceptors.request.use((config) => {
        config.insecureHTTPParser = false;
        config.headers.set('x-a', 'b');
        return config;
      });
    },
    (request, response) => response.end(JSON.stringify([request.headers['x-a'], request.headers.accept])),
  ),
  intercepted('a response with its config', ({ interceptors }, note) => {
    interceptors.response.use((response) => {
      note(
        `${String(response.config.method)} ${JSON.stringify(response.config.data)} ${String(response.config.headers.get('content-type'))}`,
      );
      return response;
    });
  }),
];

/** Defaults are put back, since all cases share an instance. */
function withDefaults(
  name: string,
  change: (defaults: AxiosInstance['defaults']) => () => void,
): ContractCase {
  return {
    name: `defaults: ${name}`,
    handle: (request, response) =>
      response.end(
        JSON.stringify([
          request.url?.replace(/^\/\d+/, ''),
          request.headers['x-a'],
          request.headers.authorization,
        ]),
      ),
    send: async (http, path) => {
      const restore = change(http.defaults);
      try {
        return await http.get(path);
      } finally {
        restore();
      }
    },
  };
}

const DEFAULTS: readonly ContractCase[] = [
  withDefaults('a common header', ({ headers }) => {
    headers.common.Authorization = 'Bearer x';
    return () => delete headers.common.Authorization;
  }),
  withDefaults('a header of a method', ({ headers }) => {
    headers.get['X-A'] = 'get';
    return () => delete headers.get['X-A'];
  }),
  withDefaults('a header of another method', ({ headers }) => {
    headers.post['X-A'] = 'post';
    return () => delete headers.post['X-A'];
  }),
  withDefaults('a header for all', ({ headers }) => {
    headers['X-A'] = 'all';
    return () => delete headers['X-A'];
  }),
  withDefaults('params', (defaults) => {
    defaults.params = { a: 1 };
    return () => delete defaults.params;
  }),
  withDefaults('auth', (defaults) => {
    defaults.auth = { username: 'a', password: 'b' };
    return () => delete defaults.auth;
  }),
  withDefaults('responseType', (defaults) => {
    defaults.responseType = 'arraybuffer';
    return () => delete defaults.responseType;
  }),
  withDefaults('an option that only axios knows', (defaults) => {
    defaults.insecureHTTPParser = false;
    return () => delete defaults.insecureHTTPParser;
  }),
  withDefaults('transformResponse', (defaults) => {
    const before = defaults.transformResponse;
    defaults.transformResponse = (data) => `<${String(data)}>`;
    return () => {
      if (before) defaults.transformResponse = before;
    };
  }),
  withDefaults('validateStatus', (defaults) => {
    const before = defaults.validateStatus;
    defaults.validateStatus = () => false;
    return () => {
      if (before) defaults.validateStatus = before;
    };
  }),
];

/** Never answers. */
const silent: Handler = () => undefined;
const slow: Handler = (_, response) => {
  setTimeout(() => response.end('late'), 400);
};

/** Not after a time: on a busy machine the request would arrive later. */
function abortedOnArrival(): ContractCase {
  let abort = (): void => undefined;
  return {
    name: 'a signal that aborts',
    handle: () => abort(),
    send: (http, path) => {
      const aborting = new AbortController();
      abort = () => aborting.abort();
      return http.get(path, { signal: aborting.signal });
    },
  };
}

const ENDINGS: readonly ContractCase[] = [
  abortedOnArrival(),
  requested('a signal that has aborted', () => ({ signal: AbortSignal.abort() }), silent),
  {
    name: 'a signal that aborts after the response',
    send: async (http, path) => {
      const aborting = new AbortController();
      const response = await http.get(path, { signal: aborting.signal });
      aborting.abort();
      return response;
    },
  },
  {
    name: 'a signal that aborts while a stream is read',
    handle: (_, response) => void response.write('begin'),
    send: async (http, path) => {
      const aborting = new AbortController();
      const response = await http.get(path, { signal: aborting.signal, responseType: 'stream' });
      setTimeout(() => aborting.abort(), 40);
      return response;
    },
  },
  // Longer than a handshake takes on a busy machine.
  requested('a timeout', { timeout: 500 }, silent),
  requested(
    'a timeout with clarifyTimeoutError',
    { timeout: 500, transitional: { clarifyTimeoutError: true } },
    silent,
  ),
  requested('a timeout that is kept', { timeout: 5_000 }, slow),
  requested('a timeout as a text', { timeout: '500' as never }, silent),
  requested('a timeout of 0', { timeout: 0 }),
];

/** How far an upload or a download has come, at the end. */
function progress(name: 'onUploadProgress' | 'onDownloadProgress'): ContractCase {
  return {
    name: `${name} tells how much of how much`,
    handle: answer(200, { 'content-length': '100000' }, Buffer.alloc(100_000)),
    send: async (http, path) => {
      const seen: (number | undefined)[][] = [];
      const note = ({ loaded, total }: { loaded: number; total?: number }): unknown =>
        seen.push([loaded, total]);
      const { status } = await http.post<unknown>(path, 'a'.repeat(50_000), { [name]: note });
      return { status, data: seen.at(-1) };
    },
  };
}

const OPTIONS: readonly ContractCase[] = [
  progress('onUploadProgress'),
  progress('onDownloadProgress'),
  requested('an option that no version of axios has', { unknown: 1 } as object),
  requested('onDownloadProgress', { onDownloadProgress: () => undefined }),
  requested('onUploadProgress', { method: 'post', data: 'abc', onUploadProgress: () => undefined }),
  requested('maxRate', { maxRate: [1_000_000, 1_000_000] }),
  requested('insecureHTTPParser', { insecureHTTPParser: true }),
  requested('beforeRedirect', { beforeRedirect: () => undefined }),
  requested('proxy: false', { proxy: false }),
  requested('allowAbsoluteUrls', { allowAbsoluteUrls: true }),
  requested('env', { env: { FormData: globalThis.FormData }, method: 'post', data: { a: 1 } }),
  requested('an empty config', {}),
  requested('options that are undefined', {
    params: undefined,
    timeout: undefined as never,
    headers: undefined as never,
    responseType: undefined as never,
  }),
];

export const BEHAVIOUR_CASES: readonly ContractCase[] = [
  ...INTERCEPTORS,
  ...DEFAULTS,
  ...ENDINGS,
  ...OPTIONS,
];
