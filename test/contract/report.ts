// The contract suite without Jest, for an app of any Nest in any format: prints which cases come out differently, and why that is.
import 'reflect-metadata';
import { isDeepStrictEqual } from 'node:util';
import axios from 'axios';
import { CASES } from './cases.js';
import { contractClient, differs, waysOf } from './contract-clients.js';
import { ContractServer } from './outcome.js';

/** Without prototypes, which are not compared. */
function values(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(values);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, values(each)]));
}

async function report(): Promise<void> {
  const server = await ContractServer.start(CASES);
  const plain = axios.create({ baseURL: server.origin, proxy: false });
  const { axiosRef, close } = await contractClient({ address: '127.0.0.1', port: server.port });
  const differing: object[] = [];
  let compared = 0;
  for (const [way, http] of Object.entries(waysOf(axiosRef)) as ['lean', typeof axiosRef][])
    for (const [at, each] of CASES.entries()) {
      if (differs(each, way)) continue;
      const [expected, actual] = [await server.outcome(at, plain), await server.outcome(at, http)];
      compared++;
      if (!isDeepStrictEqual(values(actual), values(expected)))
        differing.push({ way, name: each.name, expected, actual });
    }
  await close();
  await server.stop();
  console.log(JSON.stringify({ compared, differing }));
}

report().catch((error: unknown) => {
  console.error(error);
  // Its server may still listen.
  process.exit(1);
});
