import { useEffect, useRef, useState } from 'preact/hooks';
import { duration, milliseconds, severityOfInstance } from './model.js';
import { html, type Node } from './html.js';
import { Mark, Strip } from './pieces.js';
import { base, filter, now, operate, setFilter, state } from './store.js';
import type { InstanceCard } from '../src/dashboard-state.js';

interface List {
  readonly source: string;
  readonly state: string;
  readonly mode: string;
  readonly confirmedAgoMs?: number;
  readonly updates: number;
  readonly spurious: number;
  readonly reconnects: number;
  readonly error?: string;
}

interface Explained {
  readonly instances: readonly (Pick<InstanceCard, 'id' | 'address' | 'state' | 'reason'> & {
    readonly calls?: { readonly inFlight: number };
  })[];
  readonly lists: readonly List[];
  readonly limits?: {
    readonly circuit?: string;
    readonly bulkhead?: { inFlight: number; queued: number; limit: number };
  };
}

const REFRESH_MS = 1_000;
const MOST_SHOWN = 100;

/** What is known of the service that is open, and why calls go where they go. */
export function Details(): Node {
  const [service, instanceId] = splitOnce(filter.value.open);
  const [explained, setExplained] = useState<Explained | undefined>(undefined);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (service === '') return undefined;
    let isCurrent = true;
    const read = async (): Promise<void> => {
      const response = await fetch(`${base}/explain/${encodeURIComponent(service)}`).catch(() => undefined);
      if (isCurrent && response?.ok) setExplained((await response.json()) as Explained);
    };
    void read();
    const timer = setInterval(() => void read(), REFRESH_MS);
    return () => {
      isCurrent = false;
      clearInterval(timer);
      setExplained(undefined);
    };
  }, [service]);
  const opener = useRef<Element | null>(null);
  useEffect(() => {
    if (filter.value.open === '') {
      if (opener.current instanceof HTMLElement || opener.current instanceof SVGElement)
        opener.current.focus();
      opener.current = null;
      return;
    }
    opener.current ??= document.activeElement;
    heading.current?.focus();
  }, [filter.value.open]);
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key === 'Escape') setFilter({ open: '' });
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, []);
  if (service === '') return null;
  const card = state.value?.services.find(({ name }) => name === service);
  const instances = (card?.instances ?? []).filter(({ id }) => instanceId === undefined || id === instanceId);
  const close = (): void => setFilter({ open: '' });
  // Times that run down are in no message: they are as of now here.
  const current = (card: InstanceCard): InstanceCard => {
    const fresh = explained?.instances.find(({ id, address }) => id === card.id && address === card.address);
    if (fresh?.state !== card.state) return card;
    return { ...card, reason: fresh.reason, inFlight: fresh.calls?.inFlight ?? card.inFlight };
  };
  return html`<aside class="details" aria-labelledby="details-title">
    <div class="bar">
      <h2 id="details-title" tabindex="-1" ref=${heading}>${instanceId ?? service}</h2>
      ${
        instanceId !== undefined &&
        html`<button type="button" onClick=${() => setFilter({ open: service })}>All of ${service}</button>`
      }
      <button type="button" onClick=${close} aria-label="Close the details">×</button>
    </div>
    ${!card && html`<p class="empty">This app does not use it.</p>`}
    ${(explained?.lists ?? []).map(
      (list) =>
        html`<p class=${list.error === undefined ? 'list' : 'list bad'}>
          <b>${list.source}</b> ${describeList(list)}
        </p>`,
    )}
    ${
      explained?.limits?.bulkhead &&
      html`<p class="list">
        bulkhead: ${explained.limits.bulkhead.inFlight} of ${explained.limits.bulkhead.limit} in flight,
        ${explained.limits.bulkhead.queued} wait
      </p>`
    }
    <ul class="instances">
      ${instances
        .slice(0, MOST_SHOWN)
        .map((each) => html`<${Instance} key=${each.key} service=${service} instance=${current(each)} />`)}
    </ul>
    ${instances.length > MOST_SHOWN && html`<p class="empty">and ${instances.length - MOST_SHOWN} more: find one by its id</p>`}
  </aside>`;
}

function describeList({
  state: each,
  mode,
  confirmedAgoMs,
  updates,
  spurious,
  reconnects,
  error,
}: List): string {
  const parts = [
    each,
    mode,
    confirmedAgoMs === undefined ? 'never confirmed' : `confirmed ${duration(confirmedAgoMs)} ago`,
    `${updates} updates, ${spurious} of them without a change`,
    `${reconnects} reconnects`,
    ...(error === undefined ? [] : [error]),
  ];
  return `: ${parts.join(' · ')}`;
}

function Instance({ service, instance }: { service: string; instance: InstanceCard }): Node {
  const [said, setSaid] = useState('');
  const {
    id,
    address,
    state: each,
    reason,
    since,
    zone,
    weight,
    latencyMs,
    successRate,
    inFlight,
  } = instance;
  return html`<li class=${`instance s${severityOfInstance(instance)}`}>
    <h3><${Mark} severity=${severityOfInstance(instance)} label=${each} /> ${id}</h3>
    <p>
      <b>${each}</b> for ${duration(now.value - since)}: ${reason}
      ${
        each === 'ejected' &&
        state.value?.operations &&
        html` <button
            type="button"
            onClick=${() => void operate('uneject', { service, instance: id }).then(setSaid)}
          >
            Uneject
          </button>
          <span role="status">${said}</span>`
      }
    </p>
    <${Strip} instance=${instance} />
    <dl>
      <dt>address</dt>
      <dd>${address}</dd>
      ${
        zone !== undefined &&
        html`<dt>zone</dt>
          <dd>${zone}</dd>`
      }
      <dt>weight</dt>
      <dd>${weight}</dd>
      ${
        latencyMs !== undefined &&
        html`<dt>latency</dt>
          <dd>${milliseconds(latencyMs)}</dd>
          <dt>success</dt>
          <dd>${Math.round((successRate ?? 0) * 100)} %</dd>
          <dt>in flight</dt>
          <dd>${inFlight}</dd>`
      }
    </dl>
  </li>`;
}

/** Only at the first slash: an id may have more of them. */
function splitOnce(open: string): [string, string | undefined] {
  const at = open.indexOf('/');
  return at < 0 ? [open, undefined] : [open.slice(0, at), open.slice(at + 1)];
}

export function Operations(): Node {
  const [said, setSaid] = useState('');
  if (!state.value?.operations) return null;
  const run = (name: string, body: object): void => void operate(name, body).then(setSaid);
  return html`<section class="operations" aria-labelledby="operations-title">
    <h2 id="operations-title">This app</h2>
    <button type="button" onClick=${() => run('maintenance', { on: true })}>Maintenance on</button>
    <button type="button" onClick=${() => run('maintenance', { on: false })}>Maintenance off</button>
    <button type="button" onClick=${() => confirm('Deregister this app, and drain it?') && run('drain', {})}>
      Drain
    </button>
    <button type="button" onClick=${() => run('register', {})}>Register again</button>
    <span role="status">${said}</span>
  </section>`;
}
