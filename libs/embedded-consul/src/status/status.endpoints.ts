import type { Core, Endpoint } from '../core.js';

/** Of the server that this agent is. */
export const serverAddress = ({ options }: Core): string => `${options.identity.address}:${options.port}`;

export const statusEndpoints: readonly Endpoint[] = [
  {
    path: '/v1/status/leader',
    methods: { GET: (core) => ({ json: core.distortion.leader ? serverAddress(core) : '' }) },
  },
  {
    path: '/v1/status/peers',
    ignoresNamespace: true,
    methods: { GET: (core) => ({ json: [serverAddress(core)] }) },
  },
];
