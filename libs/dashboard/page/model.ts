import type { AppState, InstanceCard, ServiceCard, StatePatch } from '../src/dashboard-state.js';

/** What the stream sends of an event. */
export interface PageEvent {
  readonly type: string;
  readonly timestamp: number;
  readonly sequence: number;
  readonly [field: string]: unknown;
}

/** How bad the state of an instance is, for its colour and its place: 0 is well. */
export function severityOf(state: string): 0 | 1 | 2 | 3 {
  switch (state) {
    case 'eligible':
    case 'other-zone':
    case 'outside-subset':
    case 'not-selected':
    case 'filtered':
      return 0;
    case 'maintenance':
    case 'zero-weight':
      return 1;
    case 'warning':
    case 'suspect':
      return 2;
    default:
      return 3;
  }
}

/** Of recent calls; below it an instance is doubtful, though nothing has taken it out of use yet. */
const LEAST_SUCCESS = 0.9;

export function severityOfInstance({ state, successRate }: InstanceCard): 0 | 1 | 2 | 3 {
  const severity = severityOf(state);
  return severity === 0 && successRate !== undefined && successRate < LEAST_SUCCESS ? 2 : severity;
}

export const SEVERITY_NAMES = ['well', 'set aside', 'doubtful', 'failing'] as const;

/** Of the worst of its instances; a service without usable ones fails. */
export function severityOfService({ usable, instances, error, circuit }: ServiceCard): 0 | 1 | 2 | 3 {
  if (usable === 0 || circuit === 'open') return 3;
  if (error !== undefined) return 2;
  const worst = instances.reduce<number>((most, each) => Math.max(most, severityOfInstance(each)), 0);
  // One that fails among others that do not is less than a service that fails.
  return worst === 3 ? 2 : (worst as 0 | 1 | 2);
}

export function applyPatch(state: AppState, patch: StatePatch): AppState {
  const changed = new Map(patch.services.map((card) => [card.name, card]));
  const removed = new Set(patch.removed);
  const kept = state.services.flatMap((card) => {
    if (removed.has(card.name)) return [];
    const next = changed.get(card.name);
    changed.delete(card.name);
    return next ?? card;
  });
  return {
    ...state,
    at: patch.at,
    services: [...kept, ...changed.values()],
    ...(patch.registrations ? { registrations: patch.registrations } : {}),
    ...(patch.sections ? { sections: patch.sections } : {}),
  };
}

export interface Totals {
  readonly services: number;
  readonly instances: number;
  readonly failing: number;
  readonly ejected: number;
  readonly perSecond: number;
  readonly failedPerSecond: number;
}

export function totalsOf(services: readonly ServiceCard[]): Totals {
  const totals = {
    services: services.length,
    instances: 0,
    failing: 0,
    ejected: 0,
    perSecond: 0,
    failedPerSecond: 0,
  };
  for (const { instances, calls } of services) {
    totals.instances += instances.length;
    for (const { state } of instances) {
      if (severityOf(state) === 3) totals.failing++;
      if (state === 'ejected') totals.ejected++;
    }
    totals.perSecond += calls?.perSecond ?? 0;
    totals.failedPerSecond += calls?.failedPerSecond ?? 0;
  }
  return totals;
}

export interface Filter {
  /** Part of a name or an address. */
  readonly text: string;
  /** Only what is not well. */
  readonly troubled: boolean;
  /** A family of events; empty: all. */
  readonly events: string;
  /** What is open beside: a service, or a service and an instance of it. */
  readonly open: string;
  /** Only what a wall needs. */
  readonly board: boolean;
}

export const NO_FILTER: Filter = { text: '', troubled: false, events: '', open: '', board: false };

/** The filter that a link has: what is shown can be shared. */
export function filterOf(search: string): Filter {
  const query = new URLSearchParams(search);
  return {
    text: query.get('q') ?? '',
    troubled: query.get('troubled') === '1',
    events: query.get('events') ?? '',
    open: query.get('open') ?? '',
    board: query.get('board') === '1',
  };
}

export function searchOf({ text, troubled, events, open, board }: Filter): string {
  const query = new URLSearchParams();
  if (text) query.set('q', text);
  if (troubled) query.set('troubled', '1');
  if (events) query.set('events', events);
  if (open) query.set('open', open);
  if (board) query.set('board', '1');
  const search = query.toString();
  return search === '' ? '' : `?${search}`;
}

export function matches(card: ServiceCard, { text, troubled }: Filter): boolean {
  if (troubled && severityOfService(card) === 0) return false;
  const wanted = text.trim().toLowerCase();
  if (wanted === '') return true;
  return (
    card.name.toLowerCase().includes(wanted) ||
    card.instances.some(({ id, address }) => id.toLowerCase().includes(wanted) || address.includes(wanted))
  );
}

/** The worst first, then by name. */
export function sorted(services: readonly ServiceCard[]): readonly ServiceCard[] {
  return [...services].sort(
    (a, b) => severityOfService(b) - severityOfService(a) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
  );
}

export function duration(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1_000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} d`;
}

export function milliseconds(value: number | undefined): string {
  if (value === undefined || value === 0) return '–';
  return value < 10
    ? `${value.toFixed(1)} ms`
    : value < 1_000
      ? `${Math.round(value)} ms`
      : `${(value / 1_000).toFixed(1)} s`;
}

export function rate(value: number | undefined): string {
  if (value === undefined) return '–';
  return value < 10
    ? value.toFixed(1)
    : value < 10_000
      ? String(Math.round(value))
      : `${Math.round(value / 1_000)}k`;
}

/** Calls between services, as one or several apps see them. */
export interface Edge {
  readonly from: string;
  readonly to: string;
  readonly perSecond: number;
  readonly failedPerSecond: number;
}

export function edgesOf(states: readonly AppState[]): readonly Edge[] {
  const edges = new Map<string, Edge>();
  for (const { app, services } of states) {
    const from = app.service ?? app.id;
    for (const { name, calls } of services) {
      if (!calls || name === from) continue;
      const key = `${from} → ${name}`;
      const known = edges.get(key);
      edges.set(key, {
        from,
        to: name,
        perSecond: (known?.perSecond ?? 0) + calls.perSecond,
        failedPerSecond: (known?.failedPerSecond ?? 0) + calls.failedPerSecond,
      });
    }
  }
  return [...edges.values()];
}

/** An instance that apps do not see alike. */
export interface Disagreement {
  readonly service: string;
  readonly instance: string;
  /** The ids of the apps by the state that they see. */
  readonly states: Readonly<Record<string, readonly string[]>>;
}

export function disagreementsOf(states: readonly AppState[]): readonly Disagreement[] {
  const seen = new Map<string, { service: string; instance: string; states: Record<string, string[]> }>();
  for (const { app, services } of states)
    for (const { name, instances } of services)
      for (const { key: instanceKey, id, state } of instances) {
        const key = `${name} ${instanceKey}`;
        const entry = seen.get(key) ?? {
          service: name,
          instance: id,
          states: Object.create(null) as Record<string, string[]>,
        };
        (entry.states[state] ??= []).push(app.id);
        seen.set(key, entry);
      }
  return [...seen.values()].filter(({ states: by }) => {
    const severities = new Set(Object.keys(by).map(severityOf));
    return severities.size > 1;
  });
}

/** Parts of the time that was kept, in one state each, for a strip: from 0 to 1. */
export function stripOf(
  { history }: Pick<InstanceCard, 'history'>,
  now: number,
  spanMs: number,
): readonly { readonly from: number; readonly to: number; readonly state: string }[] {
  const begin = now - spanMs;
  return history.flatMap(([at, state], index) => {
    const end = history[index + 1]?.[0] ?? now;
    const [from, to] = [Math.max(at, begin), Math.min(end, now)].map((time) => (time - begin) / spanMs);
    return from === undefined || to === undefined || to <= 0 || to <= from ? [] : { from, to, state };
  });
}

/** A line of values in a box of the given size, from its bottom left. */
export function sparkline(values: readonly number[], width: number, height: number, slots: number): string {
  const most = Math.max(...values, 0);
  if (values.length < 2 || most === 0) return '';
  const step = width / (slots - 1);
  const begin = width - (values.length - 1) * step;
  return values
    .map((value, index) => {
      const x = (begin + index * step).toFixed(1);
      const y = (height - (value / most) * (height - 2) - 1).toFixed(1);
      return `${index === 0 ? 'M' : 'L'}${x} ${y}`;
    })
    .join('');
}

/** What an event says, in one line; whatever of it is a plain value. */
export function describeEvent({ type: _, timestamp: __, sequence: ___, ...fields }: PageEvent): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined && typeof value !== 'object')
    .map(([name, value]) => `${name}: ${String(value)}`)
    .join(' · ');
}

const BAD =
  /\.(ejected|lost|failed|unavailable|ghost|conflict|contested|opened|firing|exhausted|full|dropped|invalid|unreachable)$/;
const DOUBTFUL = /\.(suspect|stale|panic|failover|notReady|stalled|doubtful|overdue|missed|removed)$/;

export function severityOfEvent({ type, to }: PageEvent): 0 | 1 | 2 | 3 {
  if (type === 'instance.status') return severityOf(to === 'passing' ? 'eligible' : String(to));
  if (BAD.test(type)) return 3;
  return DOUBTFUL.test(type) ? 2 : 0;
}
