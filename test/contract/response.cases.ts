import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import type { ResponseType } from 'axios';
import { answer, differing, json, requested, type ContractCase, type Handler } from './case.js';

const STATUSES = [
  200, 201, 202, 203, 204, 205, 206, 207, 226, 299, 300, 304, 400, 401, 403, 404, 409, 410, 418, 422, 426,
  429, 451, 499, 500, 501, 505, 599,
];

const STATUS_CASES: readonly ContractCase[] = [
  ...STATUSES.map((status) =>
    requested(
      `status ${status}`,
      {},
      answer(
        status,
        { 'content-type': 'application/json' },
        status === 204 || status === 304 ? '' : '{"a":1}',
      ),
    ),
  ),
  requested('validateStatus: null', { validateStatus: null }, json({ a: 1 }, 500)),
  requested('validateStatus: undefined', { validateStatus: undefined as never }, json({ a: 1 }, 404)),
  requested(
    'validateStatus: a function',
    { validateStatus: (status) => status === 404 },
    json({ a: 1 }, 404),
  ),
  requested('validateStatus that rejects 200', { validateStatus: (status) => status !== 200 }),
  requested('a reason of its own', {}, (_, response) => {
    response.writeHead(200, 'Very Fine');
    response.end('x');
  }),
];

const RECEIVED: Readonly<Record<string, Record<string, string | string[] | number>>> = {
  'several cookies': { 'set-cookie': ['a=b', 'c=d'] },
  'one cookie': { 'set-cookie': ['a=b'] },
  'a header twice': { 'x-a': ['1', '2'] },
  'content-type twice': { 'content-type': ['text/plain', 'text/html'] },
  'names in other case': { 'X-ABC': '1' },
  'an empty value': { 'x-a': '' },
  'a value in Latin-1': { 'x-a': 'gr\u00fcn' },
  'names of methods': { get: 'a', set: 'b', has: 'c', delete: 'd', clear: 'e', concat: 'f' },
  'names of properties': { constructor: 'a', tostring: 'b', tojson: 'c', normalize: 'd' },
  numbers: { 'x-1': 1, etag: '"abc"' },
  'retry-after': { 'retry-after': 1 },
  many: Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`x-${n}`, String(n)])),
  long: { 'x-long': 'x'.repeat(8_000) },
  'vary twice': { vary: ['a', 'b'] },
};

const HEADER_CASES: readonly ContractCase[] = Object.entries(RECEIVED).map(([name, headers]) =>
  requested(`a response with ${name}`, {}, answer(200, headers, 'x')),
);

const TEXTS: Readonly<Record<string, string | Buffer>> = {
  'an object': '{"a":{"b":[1,2,null]}}',
  'a list': '[1,2]',
  null: 'null',
  'a number': '42',
  'a negative number': '-1.5e3',
  'a string': '"text"',
  true: 'true',
  nothing: '',
  spaces: '  ',
  'JSON with spaces around': '  {"a":1}\n',
  'broken JSON': '{"a":',
  'two values': '{}{}',
  HTML: '<html></html>',
  'a BOM before JSON': '\ufeff{"a":1}',
  'a BOM before text': '\ufefftext',
  'text beyond ASCII': 'Дюна 😀',
  'invalid UTF-8': Buffer.from([0x61, 0xff, 0xfe, 0x62]),
  __proto__: '{"__proto__":{"polluted":1}}',
  'a large number': '12345678901234567890',
  'duplicate keys': '{"a":1,"a":2}',
  'a megabyte': JSON.stringify({ text: 'x'.repeat(1_000_000) }),
  undefined: 'undefined',
  NaN: 'NaN',
};
const TYPES: readonly (ResponseType | undefined)[] = [undefined, 'json', 'text', 'arraybuffer', 'stream'];

const BODY_CASES: readonly ContractCase[] = [
  ...Object.entries(TEXTS).flatMap(([name, body]) =>
    TYPES.map((responseType) =>
      requested(
        `${name} as ${responseType ?? 'it comes'}`,
        responseType ? { responseType } : {},
        answer(200, { 'content-type': 'application/json' }, body),
      ),
    ),
  ),
  requested(
    'broken JSON without silentJSONParsing',
    {
      responseType: 'json',
      transitional: { silentJSONParsing: false },
    },
    answer(200, {}, '{"a":'),
  ),
  requested('JSON without forcedJSONParsing', { transitional: { forcedJSONParsing: false } }, json({ a: 1 })),
  requested(
    'parseReviver',
    { parseReviver: ((_: string, value: unknown) => (value === 1 ? 'one' : value)) as never },
    json({ a: 1 }),
  ),
  ...(['latin1', 'base64', 'hex', 'utf8', 'ascii'] as const).map((responseEncoding) =>
    requested(
      `responseEncoding ${responseEncoding}`,
      { responseEncoding },
      answer(200, {}, Buffer.from('gr\u00fcn', 'latin1')),
    ),
  ),
  ...(['blob', 'document', 'formdata'] as const).map((responseType) =>
    requested(`responseType ${responseType}`, { responseType: responseType as ResponseType }, json({ a: 1 })),
  ),
  requested('HEAD with a length', { method: 'head' }, answer(200, { 'content-length': 1_000 })),
  requested('chunks', {}, (_, response) => {
    response.write('{"a":');
    setImmediate(() => response.end('1}'));
  }),
  requested('a body until the connection ends', {}, (_, response) => {
    response.shouldKeepAlive = false;
    response.removeHeader('transfer-encoding');
    response.useChunkedEncodingByDefault = false;
    response.end('until the end');
  }),
  requested('trailers', {}, (_, response) => {
    response.writeHead(200, { trailer: 'x-sum' });
    response.write('a');
    response.addTrailers({ 'x-sum': '1' });
    response.end();
  }),
  requested('100 Continue that was not asked for', { method: 'post', data: { a: 1 } }, (_, response) => {
    response.writeContinue();
    response.end('{"a":1}');
  }),
  requested('100 Continue twice, and late', { method: 'post', data: 'a' }, (_, response) => {
    response.writeContinue();
    setTimeout(() => {
      response.writeContinue();
      response.end('fine');
    }, 20);
  }),
  requested('102 Processing', {}, (_, response) => {
    response.writeProcessing();
    response.end('fine');
  }),
  requested('103 Early Hints', {}, (_, response) => {
    response.writeEarlyHints({ link: '</a>; rel=preload' });
    response.end('fine');
  }),
  requested('a body that is cut off', {}, (_, response) => {
    response.writeHead(200, { 'content-length': 100 });
    response.write('only this');
    setTimeout(() => response.destroy(), 20);
  }),
  differing(
    'error-name',
    requested('a connection that is closed without an answer', {}, (request) => request.socket.destroy()),
    ['lean', 'core'],
  ),
];

const TEXT = JSON.stringify({ a: 'b'.repeat(100) });
const CODINGS: Readonly<Record<string, [coding: string, body: Buffer]>> = {
  gzip: ['gzip', gzipSync(TEXT)],
  'x-gzip': ['x-gzip', gzipSync(TEXT)],
  'GZIP in capitals': ['GZIP', gzipSync(TEXT)],
  deflate: ['deflate', deflateSync(TEXT)],
  'raw deflate': ['deflate', deflateRawSync(TEXT)],
  br: ['br', brotliCompressSync(TEXT)],
  compress: ['compress', gzipSync(TEXT)],
  identity: ['identity', Buffer.from(TEXT)],
  'an unknown coding': ['zip', Buffer.from(TEXT)],
  'gzip, cut off': ['gzip', gzipSync(TEXT).subarray(0, 60)],
  'gzip that is none': ['gzip', Buffer.from(TEXT)],
  'deflate that is none': ['deflate', Buffer.from(TEXT)],
  'br that is none': ['br', Buffer.from('not brotli')],
  'gzip of nothing': ['gzip', gzipSync('')],
  'an empty body as gzip': ['gzip', Buffer.alloc(0)],
};

const CODING_CASES: readonly ContractCase[] = [
  ...Object.entries(CODINGS).flatMap(([name, [coding, body]]) =>
    ([undefined, 'arraybuffer', 'stream'] as const).map((responseType) =>
      requested(
        `${name}, as ${responseType ?? 'it comes'}`,
        responseType ? { responseType } : {},
        answer(200, { 'content-encoding': coding, 'content-length': body.length }, body),
      ),
    ),
  ),
  requested(
    'gzip that is not to be decoded',
    { decompress: false, responseType: 'arraybuffer' },
    answer(200, { 'content-encoding': 'gzip' }, gzipSync(TEXT)),
  ),
  requested(
    'gzip that was asked for',
    { headers: { 'Accept-Encoding': 'gzip' } },
    answer(200, { 'content-encoding': 'gzip' }, gzipSync(TEXT)),
  ),
  requested('gzip of an error', {}, answer(500, { 'content-encoding': 'gzip' }, gzipSync(TEXT))),
  requested('204 as gzip', {}, answer(204, { 'content-encoding': 'gzip' })),
  requested('HEAD as gzip', { method: 'head' }, answer(200, { 'content-encoding': 'gzip' })),
];

const LIMITS: readonly ContractCase[] = [
  requested('maxContentLength, kept', { maxContentLength: 10 }, answer(200, {}, 'x'.repeat(10))),
  requested('maxContentLength, exceeded', { maxContentLength: 10 }, answer(200, {}, 'x'.repeat(11))),
  requested('maxContentLength, exceeded in chunks', { maxContentLength: 10 }, (_, response) => {
    response.write('x'.repeat(8));
    setTimeout(() => response.end('x'.repeat(8)), 10);
  }),
  requested(
    'maxContentLength, exceeded when decoded',
    { maxContentLength: 50 },
    answer(200, { 'content-encoding': 'gzip' }, gzipSync(TEXT)),
  ),
  requested(
    'maxContentLength of a stream, kept',
    { maxContentLength: 10, responseType: 'stream' },
    answer(200, {}, 'x'.repeat(10)),
  ),
  requested(
    'maxContentLength of a stream, exceeded',
    { maxContentLength: 10, responseType: 'stream' },
    answer(200, {}, 'x'.repeat(11)),
  ),
  requested('maxContentLength of -1', { maxContentLength: -1 }, answer(200, {}, 'x'.repeat(1_000))),
  requested(
    'maxContentLength of an array buffer',
    { maxContentLength: 10, responseType: 'arraybuffer' },
    answer(200, {}, 'x'.repeat(11)),
  ),
];

/** Redirects to the end of the case, which shows what came. */
const redirect =
  (status: number, location: (path: string) => string | undefined): Handler =>
  (request, response, body) => {
    const [, at = '', rest = ''] = /^(\/\d+)(.*)$/.exec(request.url ?? '') ?? [];
    if (rest.startsWith('/end')) {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ method: request.method, body: body.toString() }));
      return;
    }
    const target = location(at);
    response.writeHead(status, target === undefined ? {} : { location: target });
    response.end('moved');
  };
const toEnd = (at: string): string => `${at}/end`;

const REDIRECTS: readonly ContractCase[] = [
  ...[301, 302, 303, 307, 308].flatMap((status) =>
    (['get', 'post', 'put', 'delete', 'head'] as const).map((method) =>
      requested(
        `${status} for ${method}`,
        { method, ...(method === 'post' || method === 'put' ? { data: { a: 1 } } : {}) },
        redirect(status, toEnd),
      ),
    ),
  ),
  requested('300 with a location', {}, redirect(300, toEnd)),
  requested('304 with a location', {}, redirect(304, toEnd)),
  requested(
    '302 without a location',
    {},
    redirect(302, () => undefined),
  ),
  requested(
    '302 to a relative location',
    {},
    redirect(302, (at) => `${at.slice(1)}/end`),
  ),
  requested(
    '302 with a query and a fragment',
    {},
    redirect(302, (at) => `${at}/end?a=b c#d`),
  ),
  requested('302 without following', { maxRedirects: 0 }, redirect(302, toEnd)),
  requested('302, one allowed', { maxRedirects: 1 }, redirect(302, toEnd)),
  differing(
    'error-name',
    requested(
      '302 for ever, two allowed',
      { maxRedirects: 2 },
      redirect(302, (at) => `${at}/again`),
    ),
    ['lean', 'core'],
  ),
  requested('302 as a stream', { responseType: 'stream' }, redirect(302, toEnd)),
  requested('307 with a text', { method: 'post', data: 'text' }, redirect(307, toEnd)),
  requested('307 with a buffer', { method: 'put', data: Buffer.from('text') }, redirect(307, toEnd)),
];

const SLOWLY: readonly ContractCase[] = [
  {
    // Backpressure reaches the socket: what it holds meanwhile must not be lost.
    name: 'a large response stream that is read slowly',
    handle: answer(200, {}, Buffer.alloc(4 * 1024 * 1024, 'a')),
    send: async (http, path) => {
      const { data } = await http.get<AsyncIterable<Buffer>>(path, { responseType: 'stream' });
      let size = 0;
      let chunks = 0;
      for await (const chunk of data) {
        size += chunk.length;
        if (chunks++ % 8 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      return { status: size, data: 'read' };
    },
  },
];

export const RESPONSE_CASES: readonly ContractCase[] = [
  ...STATUS_CASES,
  ...HEADER_CASES,
  ...BODY_CASES,
  ...CODING_CASES,
  ...LIMITS,
  ...SLOWLY,
  ...REDIRECTS,
];
