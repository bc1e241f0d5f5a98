import { batch, computed, effect, signal } from '@preact/signals';
import type { AppState, StatePatch, SystemState } from '../src/dashboard-state.js';
import { applyPatch, filterOf, searchOf, type Filter, type PageEvent } from './model.js';

const MOST_EVENTS = 1_000;

/** Where the page is: its other addresses are below it. */
export const base = location.pathname.replace(/\/$/, '');

export const state = signal<AppState | undefined>(undefined);
export const events = signal<readonly PageEvent[]>([]);
export const system = signal<SystemState>({ peers: [], left: 0 });
export const connection = signal<'connecting' | 'live' | 'lost'>('connecting');
export const now = signal(Date.now());
export const filter = signal<Filter>(filterOf(location.search));
export const theme = signal(stored('rookery-theme') ?? 'system');
/** Without a message for so long, pings among them, the connection is dead whatever the browser says. */
const SILENT_MS = 40_000;
/** The clock of the server, beside that of the browser. */
let ahead = 0;
let heardAt = performance.now();
let source: EventSource | undefined;

/** A browser may keep nothing for a page. */
function stored(name: string): string | null {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

function store(name: string, value: string): void {
  try {
    localStorage.setItem(name, value);
  } catch {
    // It is the same the next time.
  }
}

function tick(): void {
  now.value = Date.now() + ahead;
}

/** What this app sees, and the others, where they were asked. */
export const allStates = computed<readonly AppState[]>(() => [
  ...(state.value ? [state.value] : []),
  ...system.value.peers.flatMap((peer) => peer.state ?? []),
]);

export function setFilter(change: Partial<Filter>): void {
  filter.value = { ...filter.value, ...change };
}

/** What the stream sends. */
interface Messages {
  readonly state: AppState;
  readonly patch: StatePatch;
  readonly events: readonly PageEvent[];
  readonly system: SystemState;
  readonly ping: string;
}

/** Follows the stream; the browser connects again by itself when it breaks off. */
export function connect(): void {
  source?.close();
  const opened = (source = new EventSource(`${base}/stream`));
  const heard = (): void => {
    heardAt = performance.now();
    connection.value = 'live';
  };
  heard();
  connection.value = 'connecting';
  const on = <K extends keyof Messages>(type: K, handle: (data: Messages[K]) => void): void => {
    opened.addEventListener(type, (message: MessageEvent<string>) => {
      batch(() => {
        heard();
        handle(JSON.parse(message.data) as Messages[K]);
      });
    });
  };
  on('state', (data) => {
    // Of another process: what happened in the one before stays on the page.
    state.value = data;
    ahead = data.at - Date.now();
    tick();
  });
  on('patch', (data) => {
    if (state.value) state.value = applyPatch(state.value, data);
  });
  on('events', (data) => {
    const known = new Set(events.value.map(({ timestamp, sequence }) => `${timestamp} ${sequence}`));
    const fresh = data.filter(({ timestamp, sequence }) => !known.has(`${timestamp} ${sequence}`));
    if (fresh.length > 0) events.value = [...events.value, ...fresh].slice(-MOST_EVENTS);
  });
  on('system', (data) => (system.value = data));
  on('ping', () => undefined);
  opened.addEventListener('open', heard);
  opened.addEventListener('error', () => {
    if (opened !== source) return;
    connection.value = 'lost';
    // A refusal ends it for good: a server that restarts behind a proxy may refuse for a moment.
    if (opened.readyState === EventSource.CLOSED) setTimeout(() => opened === source && connect(), 1_000);
  });
}

export async function operate(name: string, body: object): Promise<string> {
  const response = await fetch(`${base}/operations/${name}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'rookery-operation': '1' },
    body: JSON.stringify(body),
  }).catch(() => undefined);
  if (!response) return 'the app does not answer';
  const answer = (await response.json().catch(() => ({}))) as { message?: string; done?: boolean };
  if (!response.ok) return answer.message ?? `it answered ${response.status}`;
  return answer.done ? 'done' : 'there was nothing to do';
}

export function start(): void {
  effect(() => {
    const address = location.pathname + searchOf(filter.value);
    if (address !== location.pathname + location.search) history.replaceState(null, '', address);
  });
  effect(() => {
    document.documentElement.dataset.theme = theme.value;
    store('rookery-theme', theme.value);
  });
  addEventListener('popstate', () => (filter.value = filterOf(location.search)));
  setInterval(() => {
    tick();
    if (performance.now() - heardAt < SILENT_MS || document.hidden) return;
    connection.value = 'lost';
    connect();
  }, 1_000);
  // A browser has six connections to a server, and each page holds one.
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) source?.close();
    else if (source?.readyState === EventSource.CLOSED) connect();
  });
  connect();
}
