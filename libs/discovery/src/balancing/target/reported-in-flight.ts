/** Longer ones are not read. */
const MAX_LENGTH = 2_000;
const MAX_IN_FLIGHT = 1e6;
const PREFIX = 'TEXT ';
const NAME = 'named_metrics.in_flight=';

/**
 * Calls under way at a server, from the header `endpoint-load-metrics` in the format `TEXT`, as Envoy and ORCA write it
 * (https://github.com/cncf/xds/blob/main/xds/data/orca/v3/orca_load_report.proto): `TEXT cpu_utilization=0.3, named_metrics.in_flight=12`.
 *
 * @returns an integer; undefined: it is in another format, does not say, or has a value that cannot be true
 */
export function reportedInFlight(header: string): number | undefined {
  if (header.length > MAX_LENGTH || !header.startsWith(PREFIX)) return undefined;
  const at = header.indexOf(NAME);
  if (at < 0 || !' ,'.includes(header.charAt(at - 1))) return undefined;
  const start = at + NAME.length;
  const end = header.indexOf(',', start);
  const text = (end < 0 ? header.slice(start) : header.slice(start, end)).trim();
  return believableInFlight(text === '' ? NaN : Number(text));
}

/** @returns an integer; undefined: it cannot be true */
export function believableInFlight(value = NaN): number | undefined {
  return value >= 0 && value <= MAX_IN_FLIGHT ? Math.round(value) : undefined;
}
