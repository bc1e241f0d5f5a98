import { fleetOf, runFleet, type FleetReport, type FleetShape } from './fleet.js';
import { perSecond, requestsOf, type FleetCounts } from './fleet-traffic.js';
import { RealWorld } from './real-world.js';
import { SimulatedWorld } from './simulated-world.js';

const WITHIN = 0.2;
const EVENTS = ['deployment'] as const;

/** A hundred apps on three hosts, with short lists and in less time than the fleet of the page has, since all of it runs on one machine. */
const SHAPE: FleetShape = {
  ...fleetOf(100),
  hosts: 3,
  services: 20,
  instances: 200,
  deployed: 4,
  remoteEvery: 0,
  maxConnections: 1_000,
  times: { start: 20_000, settle: 30_000, idle: 120_000, deployment: 60_000, afterFault: 40_000 },
};

/** `npm run simulate -- fleet check`: what is simulated beside the same fleet on a real cluster of three servers. @returns the exit code */
export async function checkFleet(seed: number, write: (text: string) => void): Promise<number> {
  const { apps, hosts, instances } = SHAPE;
  write(`seed ${seed}; apps ${apps}, client agents ${hosts}, servers 3, instances ${instances}\n\n`);
  const simulated = await runFleet(SHAPE, new SimulatedWorld(SHAPE, seed), { events: EVENTS });
  const world = await RealWorld.start(SHAPE, seed);
  const writesPerSecond = await world.writesPerSecond();
  const real = await runFleet(SHAPE, world, { events: EVENTS });
  write(`${''.padEnd(34)}simulated      real     ratio\n`);
  const ratios: number[] = [];
  const compare = (name: string, predicted: number, found: number): void => {
    const ratio = predicted / found;
    ratios.push(ratio);
    const cells = [predicted, found].map((value) => value.toFixed(2).padStart(10)).join('');
    write(`${name.padEnd(33)}${cells}${ratio.toFixed(2).padStart(10)}\n`);
  };
  for (const [n, name] of ['start', 'idle', ...EVENTS].entries()) {
    const [predicted, found] = [simulated, real].map(({ windows }) => windows[n]);
    if (!predicted || !found) throw new Error(`no window ${name}`);
    compare(
      `${name}: requests/s`,
      perSecond(predicted, requestsOf(predicted)),
      perSecond(found, requestsOf(found)),
    );
    compare(
      `${name}: kB/s`,
      perSecond(predicted, predicted.bytes / 1e3),
      perSecond(found, found.bytes / 1e3),
    );
    write(`${''.padEnd(4)}${kindsOf(predicted)}\n${''.padEnd(4)}${kindsOf(found)}\n`);
  }
  compare('connections of an idle app', simulated.connectionsOfApp, real.connectionsOfApp);
  write(`\nwrites of keys that the cluster takes: ${writesPerSecond.toFixed(0)} a second\n`);
  const isWithin = ratios.every((ratio) => Math.abs(ratio - 1) <= WITHIN);
  write(`\nwithin ${WITHIN * 100} %: ${isWithin ? 'yes' : 'NO'}\n${failures(simulated)}${failures(real)}`);
  return isWithin ? 0 : 1;
}

function kindsOf({ requests }: FleetCounts): string {
  return [...requests]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([kind, count]) => `${kind} ${count}`)
    .join(', ');
}

function failures({ windows }: FleetReport<FleetCounts>): string {
  const [calls, failed] = [
    windows.reduce((sum, each) => sum + each.calls, 0),
    windows.reduce((sum, each) => sum + each.failedCalls, 0),
  ];
  return `calls ${calls}, failed ${failed}\n`;
}
