import { batch, computed, effect, signal } from '@preact/signals';
import type { AppState, StatePatch } from '../src/dashboard-state.js';
import { applyPatch, filterOf, searchOf, type Filter, type PageEvent, type PeerState } from './model.js';

const MOST_EVENTS = 1_000;

/** Where the page is: its other addresses are below it. */
export const base = location.pathname.replace(/\/$/, '');

export const state = signal<AppState | undefined>(undefined);
export const events = signal<readonly PageEvent[]>([]);
export const system = signal<{ readonly peers: readonly PeerState[]; readonly left: number }>({
  peers: [],
  left: 0,
});
export const connection = signal<'connecting' | 'live' | 'lost'>('connecting');
export const now = signal(Date.now());
export const filter = signal<Filter>(filterOf(location.search));
export const theme = signal(localStorage.getItem('rookery-theme') ?? 'system');

/** What this app sees, and the others, where they were asked. */
export const allStates = computed<readonly AppState[]>(() => [
  ...(state.value ? [state.value] : []),
  ...system.value.peers.flatMap((peer) => peer.state ?? []),
]);

export function setFilter(change: Partial<Filter>): void {
  filter.value = { ...filter.value, ...change };
}

/** Follows the stream; the browser connects again by itself when it breaks off. */
export function connect(): void {
  const source = new EventSource(`${base}/stream`);
  const on = <T>(type: string, handle: (data: T) => void): void => {
    source.addEventListener(type, (message: MessageEvent<string>) => {
      batch(() => {
        connection.value = 'live';
        handle(JSON.parse(message.data) as T);
      });
    });
  };
  on<AppState>('state', (data) => {
    // Of another process: what happened in the one before stays on the page.
    state.value = data;
  });
  on<StatePatch>('patch', (data) => {
    if (state.value) state.value = applyPatch(state.value, data);
  });
  on<PageEvent[]>('events', (data) => {
    const known = new Set(events.value.map(({ timestamp, sequence }) => `${timestamp} ${sequence}`));
    const fresh = data.filter(({ timestamp, sequence }) => !known.has(`${timestamp} ${sequence}`));
    if (fresh.length > 0) events.value = [...events.value, ...fresh].slice(-MOST_EVENTS);
  });
  on<{ peers: PeerState[]; left: number }>('system', (data) => (system.value = data));
  on('ping', () => undefined);
  source.addEventListener('open', () => (connection.value = 'live'));
  source.addEventListener('error', () => {
    connection.value = 'lost';
    // A refusal ends it for good: a server that restarts behind a proxy may refuse for a moment.
    if (source.readyState === EventSource.CLOSED) {
      source.close();
      setTimeout(connect, 1_000);
    }
  });
}

export async function operate(name: string, body: object): Promise<string> {
  const response = await fetch(`${base}/operations/${name}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'rookery-operation': '1' },
    body: JSON.stringify(body),
  });
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
    localStorage.setItem('rookery-theme', theme.value);
  });
  addEventListener('popstate', () => (filter.value = filterOf(location.search)));
  setInterval(() => (now.value = Date.now()), 1_000);
  connect();
}
