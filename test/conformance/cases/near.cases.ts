import type { ConsulApi } from '../consul-api.js';
import { NODE } from '../consul-api.js';
import type { ConformanceCase } from '../conformance-case.js';

const TRIES = 100;

/** Two nodes of the catalog, named so that the agent's own is the second in alphabetical order. */
async function threeNodes(api: ConsulApi): Promise<void> {
  for (const node of ['a-node', 'z-node']) {
    await api.raw('PUT', '/v1/catalog/register', {
      Node: node,
      Address: '127.0.0.9',
      Service: { ID: `web-${node}`, Service: 'web', Port: 1 },
    });
  }
  await api.raw('PUT', '/v1/agent/service/register', { Name: 'web', Port: 2 });
}

/** An agent knows its network coordinate a moment after it has started. */
async function settled(api: ConsulApi): Promise<void> {
  for (let tries = 0; tries < TRIES; tries++) {
    const [first] = nodesOf((await api.raw('GET', '/v1/health/service/web?near=_agent')).json);
    if (first === NODE) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function nodesOf(list: unknown): (string | undefined)[] {
  return (list as { Node: string | { Node: string } }[]).map(({ Node }) =>
    typeof Node === 'string' ? Node : Node.Node,
  );
}

export const nearCases: readonly ConformanceCase[] = [
  ...['/v1/health/service/web', '/v1/catalog/service/web'].flatMap((path) =>
    ['', '?near=_agent', `?near=${NODE}`, '?near=a-node', '?near=nope'].map((query): ConformanceCase => ({
      area: 'near',
      name: path + query,
      observe: async (api) => {
        await threeNodes(api);
        await settled(api);
        return nodesOf((await api.raw('GET', path + query)).json);
      },
    })),
  ),
  ...[
    ['Near in the query', '_agent', ''],
    ['near in the request', '', '?near=_agent'],
    ['limited to one', '_agent', '?limit=1'],
  ].map(([name = '', Near, query = '']): ConformanceCase => ({
    area: 'near',
    name: `prepared query, ${name}`,
    observe: async (api) => {
      await threeNodes(api);
      await settled(api);
      await api.raw('POST', '/v1/query', { Name: 'near', Service: { Service: 'web', Near } });
      const { json } = await api.raw('GET', `/v1/query/near/execute${query}`);
      const nodes = nodesOf((json as { Nodes: unknown }).Nodes);
      // The others come in any order.
      return [nodes[0], nodes.length];
    },
  })),
];
