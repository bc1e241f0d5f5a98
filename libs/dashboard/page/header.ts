import { duration, rate, totalsOf } from './model.js';
import { html, type Node } from './html.js';
import { connection, filter, now, setFilter, state, theme } from './store.js';

const THEMES = ['system', 'light', 'dark'] as const;
const CONNECTIONS = {
  connecting: 'connecting …',
  live: 'live',
  lost: 'connection lost, trying again',
} as const;

export function Header(): Node {
  const known = state.value;
  const registrations = known?.registrations ?? [];
  const next = THEMES[(THEMES.indexOf(theme.value as 'system') + 1) % THEMES.length] ?? 'system';
  return html`<header>
    <div class="title">
      <h1>${known?.app.service ?? known?.app.id ?? 'Rookery'}</h1>
      <p class="meta">
        ${
          known &&
          html`<span>${known.app.id}</span> <span>pid ${known.app.pid}</span>
            <span>up ${duration(now.value - known.app.startedAt)}</span>`
        }
        ${registrations.map(
          ({ service, state: each, reason }) =>
            html`<span class=${each === 'registered' ? 'ok' : 'bad'} title=${reason ?? ''}
              >${service}: ${each}${reason ? html` <small>(${reason})</small>` : ''}</span
            >`,
        )}
      </p>
    </div>
    <p class=${`connection ${connection.value}`} role="status" aria-live="polite">
      ${CONNECTIONS[connection.value]}
    </p>
    <nav aria-label="View">
      <button
        type="button"
        aria-pressed=${filter.value.board}
        onClick=${() => setFilter({ board: !filter.value.board })}
      >
        Wall board
      </button>
      <button
        type="button"
        onClick=${() => (theme.value = next)}
        aria-label=${`Theme: ${theme.value}. Change to ${next}`}
      >
        Theme: ${theme.value}
      </button>
    </nav>
  </header>`;
}

export function Totals(): Node {
  const { services, instances, failing, ejected, perSecond, failedPerSecond } = totalsOf(
    state.value?.services ?? [],
  );
  const figures: readonly [string, string | number, boolean][] = [
    ['services', services, false],
    ['instances', instances, false],
    ['failing', failing, failing > 0],
    ['ejected', ejected, ejected > 0],
    ['calls/s', rate(perSecond), false],
    ['failed/s', rate(failedPerSecond), failedPerSecond > 0],
  ];
  return html`<dl class="totals" aria-label="Totals">
    ${figures.map(
      ([name, value, bad]) =>
        html`<div class=${bad ? 'bad' : ''}>
          <dt>${name}</dt>
          <dd>${value}</dd>
        </div>`,
    )}
  </dl>`;
}

export function Filters(): Node {
  const { text, troubled } = filter.value;
  return html`<form class="filters" role="search" onSubmit=${(event: Event) => event.preventDefault()}>
    <label
      >Find
      <input
        type="search"
        value=${text}
        placeholder="service, instance, address"
        onInput=${(event: InputEvent) => setFilter({ text: (event.target as HTMLInputElement).value })}
    /></label>
    <label class="check"
      ><input
        type="checkbox"
        checked=${troubled}
        onChange=${(event: Event) => setFilter({ troubled: (event.target as HTMLInputElement).checked })}
      />
      only what is not well</label
    >
  </form>`;
}
