import { writeResult } from '../results.js';
import { SEED } from '../seed.js';
import { FLEET, fleetOf, type FleetReport, type FleetWindow } from './fleet.js';
import { checkFleet } from './fleet-check.js';
import { runFleetInThreads } from './fleet-threads.js';
import { burstOf, perSecond, requestsOf, type SimulatedCounts } from './fleet-traffic.js';

const MOST_BURST = 0.1;

/** `npm run simulate -- fleet [apps]`: what a fleet of apps asks of Consul. @returns the exit code */
export async function runFleetCommand([asked]: readonly string[]): Promise<number> {
  const write = (text: string): void => void process.stdout.write(text);
  if (asked === 'check') return checkFleet(SEED, write);
  const apps = Number(asked ?? FLEET.apps);
  if (!(apps >= 10 && apps <= 100_000)) {
    process.stderr.write(`apps: ${asked} is none of 10 to 100,000\n`);
    return 2;
  }
  const shape = fleetOf(apps);
  write(
    `seed ${SEED}; apps ${shape.apps}, hosts ${shape.hosts}, services ${shape.services}, instances ${shape.instances}; ` +
      `each app calls ${shape.callsServices} services\n\n`,
  );
  write(
    `${''.padEnd(20)}requests/s   MB/s  reads/s  writes/s   burst: requests, apps in 100 ms    calls  failed  connections\n`,
  );
  const onWindow = (window: FleetWindow<SimulatedCounts>): void => write(`${row(window, apps)}\n`);
  const report = await runFleetInThreads(shape, SEED, onWindow);
  write(`\n${summaryOf(report).join('\n')}\n`);
  const written = writeResult('fleet.json', `${JSON.stringify(rowsOf(report), null, 1)}\n`);
  // How many apps start at the same time is not decided by this library.
  const isWithin = report.windows.every(
    (window) => window.name === 'start' || burstOf(window).apps <= MOST_BURST * apps,
  );
  write(
    `bursts of at most ${MOST_BURST * 100} % of the apps: ${isWithin ? 'yes' : 'NO'}\nwritten: ${written}\n`,
  );
  return isWithin ? 0 : 1;
}

function row(window: FleetWindow<SimulatedCounts>, apps: number): string {
  const { name, bytes, serverReads, serverWrites, calls, failedCalls } = window;
  const burst = burstOf(window);
  const share = `${((burst.apps / apps) * 100).toFixed(1)} %`;
  return [
    name.padEnd(20),
    perSecond(window, requestsOf(window)).toFixed(0).padStart(10),
    perSecond(window, bytes / 1e6)
      .toFixed(1)
      .padStart(7),
    perSecond(window, serverReads).toFixed(0).padStart(9),
    perSecond(window, serverWrites).toFixed(1).padStart(10),
    String(burst.requests).padStart(17),
    `${burst.apps} (${share})`.padStart(17),
    String(calls).padStart(9),
    String(failedCalls).padStart(8),
    String(window.mostConnections).padStart(13),
  ].join('');
}

function summaryOf({ shape, windows, connectionsOfApp }: FleetReport<SimulatedCounts>): string[] {
  const idle = windows.find(({ name }) => name === 'idle');
  if (!idle) throw new Error('it was never idle');
  const perAppMinute = (count: number): string => ((60 * perSecond(idle, count)) / shape.apps).toFixed(2);
  const kinds = [...idle.requests].map(([kind, count]) => `${kind} ${perAppMinute(count)}`);
  return [
    `an idle app: ${perAppMinute(requestsOf(idle))} requests a minute (${kinds.join(', ')}), ${connectionsOfApp.toFixed(2)} connections`,
    `connections of an agent: at most ${Math.max(...windows.map((each) => each.mostConnections))} of 200, with ${Math.ceil(shape.apps / shape.hosts)} apps on a host`,
    `reads that wait at the leader when all is idle: ${idle.blockedReads}`,
  ];
}

function rowsOf({ shape, windows, connectionsOfApp }: FleetReport<SimulatedCounts>): unknown {
  return {
    ...{ shape, connectionsOfApp },
    windows: windows.map(({ requests, bins, ...window }) => ({
      ...window,
      burst: burstOf({ bins }),
      requests: Object.fromEntries(requests),
    })),
  };
}
