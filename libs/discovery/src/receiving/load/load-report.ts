/**
 * What a server says of its load, in the terms of ORCA
 * (https://github.com/cncf/xds/blob/main/xds/data/orca/v3/orca_load_report.proto), which Envoy and gRPC read.
 */
export interface LoadReport {
  /** Share of the CPUs that the process may use: those of its container, if it has a limit. */
  readonly cpuUtilization: number;
  /** Share of the time in which the event loop had work: at 1 the process is saturated, however many CPUs there are. */
  readonly applicationUtilization: number;
  /** Calls a second. */
  readonly callsPerSecond: number;
  /** Calls a second that failed. */
  readonly failuresPerSecond: number;
  /** `in_flight`, `event_loop_utilization`, `queueing_delay_ms`, and those of the application. */
  readonly named: Readonly<Record<string, number>>;
}

/** The value of the header `endpoint-load-metrics`, as its sender writes it: `TEXT cpu_utilization=0.3, named_metrics.in_flight=12`. */
export function loadReportText(report: LoadReport): string {
  const { cpuUtilization, applicationUtilization, callsPerSecond, failuresPerSecond, named } = report;
  const fields = [
    ['cpu_utilization', cpuUtilization],
    ['application_utilization', applicationUtilization],
    ['rps_fractional', callsPerSecond],
    ['eps', failuresPerSecond],
    ...Object.entries(named).map(([name, value]) => [`named_metrics.${name}`, value] as const),
  ] as const;
  return `TEXT ${fields.map(([name, value]) => `${name}=${brief(value)}`).join(', ')}`;
}

/** Three digits after the point are enough for a share, and for a delay in milliseconds. */
export function brief(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
