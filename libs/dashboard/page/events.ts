import { describeEvent, severityOfEvent } from './model.js';
import { html, type Node } from './html.js';
import { Mark } from './pieces.js';
import { events, filter, setFilter } from './store.js';

const SHOWN = 200;

export function Events(): Node {
  const { events: family, text } = filter.value;
  const families = [...new Set(events.value.map(({ type }) => type.split('.')[0] ?? ''))].sort();
  const wanted = text.trim().toLowerCase();
  const shown = events.value
    .filter(({ type }) => family === '' || type.startsWith(`${family}.`))
    .filter(
      (event) => wanted === '' || `${event.type} ${describeEvent(event)}`.toLowerCase().includes(wanted),
    )
    .slice(-SHOWN)
    .reverse();
  return html`<section class="events" aria-labelledby="events-title">
    <h2 id="events-title">Events</h2>
    <label
      >Show
      <select
        value=${family}
        onChange=${(event: Event) => setFilter({ events: (event.target as HTMLSelectElement).value })}
      >
        <option value="">all</option>
        ${families.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}
      </select></label
    >
    ${shown.length === 0 && html`<p class="empty">Nothing has happened.</p>`}
    <ol tabindex="0" aria-label="Events, the latest first">
      ${shown.map(
        (event) =>
          html`<li key=${`${event.timestamp} ${event.sequence}`}>
            <time datetime=${new Date(event.timestamp).toISOString()}
              >${new Date(event.timestamp).toLocaleTimeString()}</time
            >
            <${Mark}
              severity=${severityOfEvent(event)}
              label=${severityOfEvent(event) === 0 ? 'information' : 'trouble'}
            />
            <b>${event.type}</b>
            <span>${describeEvent(event)}</span>
          </li>`,
      )}
    </ol>
  </section>`;
}
