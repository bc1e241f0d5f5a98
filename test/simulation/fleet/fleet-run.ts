import { mkdirSync, writeFileSync } from 'node:fs';
import { FLEET, fleetOf, runFleet, type FleetReport } from './fleet.js';
import type { FleetWindow } from './fleet-world.js';
import { SimulatedWorld } from './simulated-world.js';
import { checkFleet } from './fleet-check.js';
import { requestsOf } from './fleet-traffic.js';

const RESULTS = 'test/simulation/results';
const SEED = Number(process.env.ROOKERY_SEED ?? 20_251_121);
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
  const onWindow = (window: FleetWindow): void => write(`${row(window, apps)}\n`);
  const report = await runFleet(shape, new SimulatedWorld(shape, SEED), { onWindow });
  write(`\n${summaryOf(report).join('\n')}\n`);
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(`${RESULTS}/fleet.json`, `${JSON.stringify(rowsOf(report), null, 1)}\n`);
  // How many apps start at once is for those who start them.
  const isWithin = report.windows.every(
    ({ name, burstOfApps }) => name === 'start' || burstOfApps <= MOST_BURST * apps,
  );
  write(
    `bursts of at most ${MOST_BURST * 100} % of the apps: ${isWithin ? 'yes' : 'NO'}\nwritten: ${RESULTS}/fleet.json\n`,
  );
  return isWithin ? 0 : 1;
}

function row(window: FleetWindow, apps: number): string {
  const { name, ms, bytes, serverReads, serverWrites, burst, burstOfApps, calls, failedCalls } = window;
  const perSecond = (count: number): number => (count * 1_000) / ms;
  const share = `${((burstOfApps / apps) * 100).toFixed(1)} %`;
  return [
    name.padEnd(20),
    perSecond(requestsOf(window)).toFixed(0).padStart(10),
    perSecond(bytes / 1e6)
      .toFixed(1)
      .padStart(7),
    perSecond(serverReads).toFixed(0).padStart(9),
    perSecond(serverWrites).toFixed(1).padStart(10),
    String(burst).padStart(17),
    `${burstOfApps} (${share})`.padStart(17),
    String(calls).padStart(9),
    String(failedCalls).padStart(8),
    String(window.mostConnections).padStart(13),
  ].join('');
}

function summaryOf({ shape, windows, connectionsOfApp, blockedReads }: FleetReport): string[] {
  const idle = windows.find(({ name }) => name === 'idle');
  const perAppMinute = idle ? (requestsOf(idle) * 60_000) / idle.ms / shape.apps : NaN;
  const kinds = [...(idle?.requests ?? [])].map(
    ([kind, count]) => `${kind} ${((count * 60_000) / (idle?.ms ?? 1) / shape.apps).toFixed(2)}`,
  );
  return [
    `an idle app: ${perAppMinute.toFixed(2)} requests a minute (${kinds.join(', ')}), ${connectionsOfApp.toFixed(2)} connections`,
    `connections of an agent: at most ${Math.max(...windows.map((each) => each.mostConnections))} of 200, with ${Math.ceil(shape.apps / shape.hosts)} apps on a host`,
    `reads that wait at the leader when all is idle: ${blockedReads}`,
  ];
}

function rowsOf({ shape, windows, connectionsOfApp, blockedReads }: FleetReport): unknown {
  return {
    ...{ shape, connectionsOfApp, blockedReads },
    windows: windows.map(({ requests, ...window }) => ({
      ...window,
      requests: Object.fromEntries(requests),
    })),
  };
}
