import { useMemo, useRef } from 'preact/hooks';
import { edgesOf, rate, severityOfInstance, severityOfService, type Edge } from './model.js';
import { html, type Node } from './html.js';
import type { ServiceCard } from '../src/dashboard-state.js';
import { heightOf, placesOf, type Place } from './map-layout.js';
import { allStates, setFilter } from './store.js';
import { memo } from './memo.js';

const RADIUS = 34;
const RING = 52;
const MOST_ON_RING = 24;

/** Services and their instances, and which service calls which. */
export function Map(): Node {
  const states = allStates.value;
  const edges = edgesOf(states);
  const cards = new globalThis.Map<string, ServiceCard>();
  for (const { services } of [...states].reverse()) for (const card of services) cards.set(card.name, card);
  const names = [...new Set([...states.map(({ app }) => app.service ?? app.id), ...cards.keys()])].sort();
  const before = useRef<ReadonlyMap<string, Place>>(new globalThis.Map());
  // Only another set of services or edges moves anything.
  const shape = `${names.join(' ')} | ${edges
    .map(({ from, to }) => `${from}>${to}`)
    .sort()
    .join(' ')}`;
  const places = useMemo(() => (before.current = placesOf(names, edges, before.current)), [shape]);
  const isCrowded = names.length > 60;
  return html`<section class="map" aria-labelledby="map-title">
    <h2 id="map-title">Map</h2>
    <svg
      viewBox=${`0 0 1000 ${heightOf(names.length)}`}
      role="group"
      aria-label=${`Map of ${names.length} services and ${edges.length} connections`}
    >
      <defs>
        <marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
          <path d="M0 0L8 4L0 8z" />
        </marker>
      </defs>
      ${edges.map(
        (edge) =>
          html`<${Connection}
            key=${`${edge.from}>${edge.to}`}
            edge=${edge}
            from=${places.get(edge.from)}
            to=${places.get(edge.to)}
            crowded=${isCrowded}
          />`,
      )}
      ${names.map(
        (name) =>
          html`<${Service}
            key=${name}
            name=${name}
            place=${places.get(name)}
            card=${cards.get(name)}
            crowded=${isCrowded}
          />`,
      )}
    </svg>
  </section>`;
}

function describeNode(name: string, card: ServiceCard | undefined): string {
  return card
    ? `${card.usable}/${card.instances.length} ${name}: instances that are usable`
    : `${name}: calls others`;
}

function Connection({
  edge,
  from,
  to,
  crowded,
}: {
  edge: Edge;
  from?: Place;
  to?: Place;
  crowded: boolean;
}): Node {
  if (!from || !to) return null;
  const [dx, dy] = [(to.x ?? 0) - (from.x ?? 0), (to.y ?? 0) - (from.y ?? 0)];
  const length = Math.max(1, Math.hypot(dx, dy));
  const margin = crowded ? 12 : RING + 14;
  const at = (share: number, back: number): [number, number] => [
    (from.x ?? 0) + dx * share - (dx / length) * back,
    (from.y ?? 0) + dy * share - (dy / length) * back,
  ];
  const [x1, y1] = at(0, -margin);
  const [x2, y2] = at(1, margin);
  const [tx, ty] = at(0.5, 0);
  const bad = edge.failedPerSecond > 0;
  const isIdle = edge.perSecond === 0;
  return html`<g class=${`edge${bad ? ' bad' : ''}${isIdle ? ' idle' : ''}`}>
    <line x1=${x1} y1=${y1} x2=${x2} y2=${y2} marker-end="url(#arrow)" />
    ${
      !crowded &&
      !isIdle &&
      html`<text x=${tx} y=${ty - 8}
        >${rate(edge.perSecond)}/s${bad ? `, ${rate(edge.failedPerSecond)} failed` : ''}</text
      >`
    }
  </g>`;
}

const Service = memo<{ name: string; place?: Place; card?: ServiceCard; crowded: boolean }>(
  ({ name, place, card, crowded }): Node => {
    if (!place) return null;
    const severity = card ? severityOfService(card) : 0;
    const open = (): void => setFilter({ open: name });
    const onKey = (event: KeyboardEvent): void => {
      if (event.key !== 'Enter' && event.key !== ' ') return;
      event.preventDefault();
      open();
    };
    const instances = card?.instances.slice(0, MOST_ON_RING) ?? [];
    return html`<g
      class=${`node s${severity}${card ? '' : ' self'}`}
      transform=${`translate(${place.x ?? 0} ${place.y ?? 0})`}
      role="button"
      tabindex=${crowded ? -1 : 0}
      onClick=${open}
      onKeyDown=${onKey}
    >
      <title>${describeNode(name, card)}</title>
      <circle class="core" r=${crowded ? 9 : RADIUS} />
      ${
        !crowded &&
        instances.map((instance, index) => {
          const angle = (index / instances.length) * 2 * Math.PI - Math.PI / 2;
          return html`<circle
            key=${instance.key}
            class=${`dot s${severityOfInstance(instance)}`}
            cx=${RING * Math.cos(angle)}
            cy=${RING * Math.sin(angle)}
            r="9"
          />`;
        })
      }
      ${
        !crowded &&
        html`<text class="name" y=${RING + 30}>${name}</text>
          <text class="count" y="8">${card ? `${card.usable}/${card.instances.length}` : ''}</text>`
      }
    </g>`;
  },
);
