import type { Core, Endpoint } from '../core.js';

const address = ({ options }: Core): string => `${options.identity.address}:${options.port}`;

export const statusEndpoints: readonly Endpoint[] = [
  {
    path: '/v1/status/leader',
    methods: { GET: (core) => ({ json: core.distortion.leader ? address(core) : '' }) },
  },
  {
    path: '/v1/status/peers',
    ignoresNamespace: true,
    methods: { GET: (core) => ({ json: [address(core)] }) },
  },
];
