import type { Endpoint } from '../core.js';
import type { ApiReply } from '../http/api-request.js';
import { PAGE } from './page.js';

/** The page of this agent, where a real one has its UI. */
export const uiEndpoints: readonly Endpoint[] = [
  { path: '/', methods: { GET: toPage } },
  { path: '/ui/', ignoresNamespace: true, methods: { GET: page } },
];

function toPage(): ApiReply {
  return {
    status: 301,
    headers: { Location: '/ui/', 'Content-Type': 'text/html; charset=utf-8' },
    bytes: Buffer.from('<a href="/ui/">Moved Permanently</a>.\n\n'),
  };
}

function page(): ApiReply {
  return {
    headers: {
      'Content-Type': 'text/html; charset=utf-8',
      // Nothing but this page and this agent.
      'Content-Security-Policy':
        "default-src 'none'; connect-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'",
    },
    bytes: Buffer.from(PAGE),
  };
}
