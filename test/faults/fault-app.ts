import { fileURLToPath } from 'node:url';
import type { ConsulModuleOptions } from '@rookery/consul';
import { AppProcess, freePorts } from '@rookery/test-support';

const MAIN = fileURLToPath(new URL('./app-under-fault.mjs', import.meta.url));

export interface FaultAppOptions {
  /** `ConsulModule`'s. */
  readonly options: ConsulModuleOptions;
  readonly port?: number;
  readonly environment?: Readonly<Record<string, string>>;
}

/** An app with a few routes in a separate process. */
export async function startFaultApp({ options, port, environment }: FaultAppOptions): Promise<AppProcess> {
  const [free = 0] = port === undefined ? await freePorts(1) : [port];
  return AppProcess.start({
    main: MAIN,
    port: free,
    environment: { FAULT_OPTIONS: JSON.stringify(options), ...environment },
  });
}
