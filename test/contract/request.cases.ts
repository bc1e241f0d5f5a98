import { Readable } from 'node:stream';
import type { AxiosInstance } from 'axios';
import { differing, json, requested, type ContractCase } from './case.js';

class Order {
  readonly book = 'Dune';
  readonly at = new Date(0);
}

const METHODS: readonly ContractCase[] = [
  ...(['get', 'delete', 'head', 'options'] as const).flatMap((method) => [
    { name: `${method}(url)`, send: (http: AxiosInstance, path: string) => http[method](`${path}/a`) },
    {
      name: `${method}(url, config)`,
      send: (http: AxiosInstance, path: string) =>
        http[method](path, { params: { a: 1 }, headers: { 'x-a': '1' } }),
    },
  ]),
  {
    name: 'delete(url, config) with data',
    send: (http, path) => http.delete(path, { data: { a: 1 } }),
  },
  ...(['post', 'put', 'patch'] as const).flatMap((method) => [
    { name: `${method}(url)`, send: (http: AxiosInstance, path: string) => http[method](path) },
    {
      name: `${method}(url, data)`,
      send: (http: AxiosInstance, path: string) => http[method](path, { a: 1 }),
    },
    {
      name: `${method}(url, data, config)`,
      send: (http: AxiosInstance, path: string) => http[method](path, { a: 1 }, { headers: { 'x-a': '1' } }),
    },
  ]),
  ...(['postForm', 'putForm', 'patchForm'] as const).map((method) => ({
    name: `${method}(url, data)`,
    send: (http: AxiosInstance, path: string) => http[method](path, { a: 1, b: ['x', 'y'] }),
  })),
  { name: 'the instance itself, with a URL', send: (http, path) => http(path) },
  {
    name: 'the instance itself, with a URL and a config',
    send: (http, path) => http(path, { params: { a: 1 } }),
  },
  {
    name: 'the instance itself, with a config',
    send: (http, path) => http({ url: path, method: 'POST', data: 'x' }),
  },
  { name: 'request(url)', send: (http, path) => http.request(path as never) },
  ...['GET', 'get', 'Post', 'PURGE', 'TRACE'].map((method) => requested(`the method ${method}`, { method })),
];

const PARAMS: Readonly<Record<string, unknown>> = {
  'one value': { a: 1 },
  'several values': { a: 1, b: 'two', c: true, d: false },
  none: {},
  'null and undefined': { a: null, b: undefined, c: 1 },
  'only undefined': { a: undefined },
  'an empty text': { a: '' },
  spaces: { a: 'b c', 'd e': 1 },
  'reserved characters': { a: '&=?#/:@$,+;[]' },
  marks: { a: "-_.!~*'()" },
  'beyond ASCII': { книга: 'Дюна' },
  emoji: { a: '😀' },
  'a percent sign': { a: '100%' },
  'a list': { a: [1, 2] },
  'an empty list': { a: [] },
  'a list of objects': { a: [{ b: 1 }, { c: 2 }] },
  'an object': { a: { b: 1, c: { d: 2 } } },
  'a date': { a: new Date(0) },
  'a big number': { a: 1e21 },
  'NaN and infinity': { a: NaN, b: Infinity },
  zero: { a: 0 },
  'names with brackets': { 'a[]': 1, 'b[c]': 2 },
  'names with a dot': { 'a.b': 1 },
  'names with braces': { 'a{}': 1 },
  'an empty name': { '': 1 },
  URLSearchParams: new URLSearchParams({ a: 'b c', d: 'e' }),
  'an object without a prototype': Object.assign(Object.create(null) as object, { a: 1 }),
  'an object of a class': new Order(),
  'a function': { a: () => 1 },
  'a symbol as the value': { a: 1, b: Symbol.iterator.toString() },
  'a buffer': { a: Buffer.from('x') },
  'a bigint': { a: 10n },
};

const PARAM_CASES: readonly ContractCase[] = [
  ...Object.entries(PARAMS).map(([name, params]) => requested(`params: ${name}`, { params })),
  requested('params after a query', { url: '?x=1', params: { a: 1 } }),
  requested('params after an empty query', { url: '?', params: { a: 1 } }),
  requested('params before a fragment', { url: '#part', params: { a: 1 } }),
  requested('params: null', { params: null }),
  requested('paramsSerializer: a function', { params: { a: 1 }, paramsSerializer: (() => 'own=1') as never }),
  requested('paramsSerializer: serialize', {
    params: { a: 1 },
    paramsSerializer: { serialize: () => 'own=2' },
  }),
  requested('paramsSerializer: encode', {
    params: { a: 'b' },
    paramsSerializer: { encode: (text) => `<${text}>` },
  }),
  ...([true, false, null] as const).map((indexes) =>
    requested(`paramsSerializer: indexes ${String(indexes)}`, {
      params: { a: [1, 2] },
      paramsSerializer: { indexes },
    }),
  ),
  requested('paramsSerializer: dots', { params: { a: { b: 1 } }, paramsSerializer: { dots: true } }),
];

const PATHS: readonly string[] = [
  '/a b',
  '/a%20b',
  '/ü',
  '/%C3%BC',
  '/книга',
  '/a/../b',
  '/a/./b',
  '/a/%2e%2e/b',
  '/.well-known/x',
  '//double',
  '/a//b',
  '/a?b=c d',
  '/a?b="c"',
  "/a?b='c'",
  '/a?b=<c>',
  '/a?b=ü',
  '/a?',
  '/a#b',
  '/a?b#c',
  '/a;b=c',
  '/a:b@c',
  '/a|b',
  '/a^b`c{d}',
  '/a\\b',
  '/a[b]',
  '/%',
  '/%zz',
  '/a\tb',
  '/a\nb',
  '/~a.b-c_d!$&()*+,=',
];

const PATH_CASES: readonly ContractCase[] = PATHS.map((url) =>
  requested(`the path ${JSON.stringify(url)}`, { url }),
);

const BASE_URLS: readonly ContractCase[] = [
  ['/', '/x'],
  ['/base', 'x'],
  ['/base/', '/x'],
  ['/base', ''],
  ['/base?q=1', 'x'],
].map(([base, url]) => ({
  name: `baseURL ${String(base)} with ${JSON.stringify(url)}`,
  // Relative to the case, whose path is a part of the base of plain axios.
  send: (http: AxiosInstance, path: string) => {
    const own = http.defaults.baseURL ?? '';
    return http.get(url ?? '', { baseURL: own + path + String(base) });
  },
}));

const ABSOLUTE: readonly ContractCase[] = [
  differing('absolute-url', { name: 'a URL with a host', send: (http) => http.get('http://127.0.0.1:1/') }),
  differing('absolute-url', {
    name: 'a URL that begins with two slashes',
    send: (http) => http.get('//books'),
  }),
];

const HEADERS: Readonly<Record<string, Record<string, unknown>>> = {
  'of one': { 'X-Test': 'a' },
  'in other case': { 'x-TEST': 'a' },
  'of a number': { 'x-test': 7 },
  'of a boolean': { 'x-test': true },
  'of null': { 'x-test': null },
  'of undefined': { 'x-test': undefined },
  'of false': { 'x-test': false },
  empty: { 'x-test': '' },
  'a list': { 'x-test': ['a', 'b'] },
  'with spaces around': { 'x-test': '  a  ' },
  'with a line break': { 'x-test': 'a\r\nx-evil: b' },
  'in Latin-1': { 'x-test': 'grün' },
  'beyond Latin-1': { 'x-test': 'Дюна' },
  accept: { Accept: 'text/plain' },
  'accept, removed': { Accept: null },
  'accept, in lower case': { accept: 'text/html' },
  'content-type without a body': { 'content-type': 'text/plain' },
  'user-agent': { 'User-Agent': 'me/1' },
  'user-agent, removed': { 'user-agent': false },
  authorization: { authorization: 'Bearer x' },
  cookie: { cookie: 'a=b; c=d' },
  'cookies as a list': { cookie: ['a=b', 'c=d'] },
  referer: { referer: 'http://a/' },
  host: { host: 'other' },
  te: { te: 'trailers' },
  'keep-alive': { 'keep-alive': 'timeout=5' },
  expect: { expect: '100-continue' },
  'of a proxy': { 'x-forwarded-for': '10.0.0.1', via: '1.1 a', forwarded: 'for=10.0.0.1' },
  'of tracing': { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', baggage: 'a=b' },
  many: Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`x-${n}`, String(n)])),
  long: { 'x-long': 'x'.repeat(8_000) },
};

const HEADER_CASES: readonly ContractCase[] = Object.entries(HEADERS).map(([name, headers]) =>
  requested(`a header ${name}`, { headers: headers as never }),
);

const BODIES: Readonly<Record<string, () => unknown>> = {
  'an object': () => ({ a: 1, b: [1, 2], c: null }),
  'an object with undefined': () => ({ a: undefined, b: 1 }),
  'an empty object': () => ({}),
  'a list': () => [1, 'two', null],
  'an empty list': () => [],
  'an object of a class': () => new Order(),
  'an object with toJSON': () => ({ toJSON: () => ({ own: 1 }) }),
  'an object without a prototype': () => Object.assign(Object.create(null) as object, { a: 1 }),
  'a date': () => new Date(0),
  'a map': () => new Map([['a', 1]]),
  'an error': () => new Error('x'),
  'a text': () => 'plain text',
  'an empty text': () => '',
  'JSON as a text': () => '{"a":1}',
  'text beyond ASCII': () => 'Дюна 😀',
  'a number': () => 42,
  zero: () => 0,
  true: () => true,
  false: () => false,
  null: () => null,
  undefined: () => undefined,
  'a buffer': () => Buffer.from([0, 1, 2, 255]),
  'an empty buffer': () => Buffer.alloc(0),
  'a part of a buffer': () => Buffer.from('abcdef').subarray(2, 4),
  'a typed array': () => Uint8Array.from([1, 2, 3]),
  'an array buffer': () => Uint8Array.from([1, 2, 3]).buffer,
  URLSearchParams: () => new URLSearchParams({ a: 'b c' }),
  'a blob': () => new Blob(['a blob'], { type: 'text/x-blob' }),
  'a stream': () => Readable.from([Buffer.from('a'), Buffer.from('b')]),
  'a stream of text': () => Readable.from(['Дю', 'на']),
  'an empty stream': () => Readable.from([]),
  'a form': () => {
    const form = new FormData();
    form.set('a', 'b');
    form.set('file', new Blob(['content']), 'file.txt');
    return form;
  },
  'a bigint': () => 10n,
};
const TYPES: readonly string[] = ['application/json', 'text/plain', 'application/x-www-form-urlencoded'];

const BODY_CASES: readonly ContractCase[] = [
  ...Object.entries(BODIES).map(([name, body]) =>
    requested(`POST of ${name}`, () => ({ method: 'post', data: body() })),
  ),
  ...[
    'an object',
    'a text',
    'JSON as a text',
    'a buffer',
    'a list',
    'null',
    'undefined',
    'a number',
    'URLSearchParams',
  ].flatMap((name) =>
    TYPES.map((type) =>
      requested(`POST of ${name} as ${type}`, () => ({
        method: 'post',
        data: BODIES[name]?.(),
        headers: { 'Content-Type': type },
      })),
    ),
  ),
  requested('POST of an object as multipart/form-data', {
    method: 'post',
    data: { a: 1, b: ['x'] },
    headers: { 'Content-Type': 'multipart/form-data' },
  }),
  requested('POST of a stream with its length', () => ({
    method: 'post',
    data: Readable.from([Buffer.from('abc')]),
    headers: { 'Content-Length': '3' },
  })),
  requested('PUT of a stream with a type', () => ({
    method: 'put',
    data: Readable.from([Buffer.from('abc')]),
    headers: { 'Content-Type': 'text/csv' },
  })),
  differing(
    'circular',
    requested('POST of something circular', () => {
      const circular: Record<string, unknown> = {};
      circular.self = circular;
      return { method: 'post', data: circular };
    }),
    ['lean'],
  ),
  differing(
    'read-stream',
    requested('POST of a stream that has been read', () => {
      const stream = Readable.from(['a']);
      stream.resume();
      stream.destroy();
      return { method: 'post', data: stream, timeout: 500 };
    }),
  ),
  requested('GET with a body', { method: 'get', data: { a: 1 } }),
  requested('POST with a wrong length of its own', {
    method: 'post',
    data: 'abc',
    headers: { 'Content-Type': 'text/plain' },
  }),
  requested('formSerializer', {
    method: 'post',
    data: { a: { b: 1 } },
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    formSerializer: { dots: true },
  }),
  requested('maxBodyLength, kept', { method: 'post', data: 'abc', maxBodyLength: 3 }),
  requested('maxBodyLength, exceeded', { method: 'post', data: 'abcd', maxBodyLength: 3 }),
  requested('maxBodyLength of 0', { method: 'post', data: 'a', maxBodyLength: 0 }),
];

const AUTH: readonly ContractCase[] = [
  requested('auth', { auth: { username: 'a', password: 'b' } }),
  requested('auth beyond ASCII', { auth: { username: 'ü', password: 'ю' } }),
  requested('auth without a password', { auth: { username: 'a' } as never }),
  requested('auth instead of a header', {
    auth: { username: 'a', password: 'b' },
    headers: { Authorization: 'Bearer x' },
  }),
  requested('withCredentials and xsrf options, which are for browsers', {
    withCredentials: true,
    xsrfCookieName: 'x',
    xsrfHeaderName: 'y',
    withXSRFToken: true,
  }),
];

const TRANSFORMS: readonly ContractCase[] = [
  requested('transformRequest: a function', {
    method: 'post',
    data: { a: 1 },
    transformRequest: (data, headers) => {
      headers.set('x-transformed', '1');
      return JSON.stringify({ wrapped: data as unknown });
    },
  }),
  requested('transformRequest: a list', {
    method: 'post',
    data: 'a',
    transformRequest: [(data) => `${String(data)}b`, (data) => `${String(data)}c`],
  }),
  requested('transformRequest: an empty list', { method: 'post', data: 'a', transformRequest: [] }),
  requested('transformRequest that throws', {
    method: 'post',
    data: 'a',
    transformRequest: () => {
      throw new TypeError('not that');
    },
  }),
  requested('transformResponse: a function', { transformResponse: (data) => `<${String(data)}>` }),
  requested(
    'transformResponse with headers and status',
    { transformResponse: (_, headers, status) => [headers.get('x-a'), status] },
    (_, response) => response.setHeader('x-a', 'b').end('{}'),
  ),
  requested('transformResponse: an empty list', { transformResponse: [] }),
  requested(
    'transformResponse of an error',
    { transformResponse: (data) => `<${String(data)}>` },
    json({ a: 1 }, 500),
  ),
  requested('transformResponse that throws', {
    transformResponse: () => {
      throw new TypeError('not that');
    },
  }),
];

export const REQUEST_CASES: readonly ContractCase[] = [
  ...METHODS,
  ...PARAM_CASES,
  ...PATH_CASES,
  ...BASE_URLS,
  ...ABSOLUTE,
  ...HEADER_CASES,
  ...BODY_CASES,
  ...AUTH,
  ...TRANSFORMS,
];
