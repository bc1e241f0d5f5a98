import { disagreementsOf } from './model.js';
import { html, type Node } from './html.js';
import { allStates, state, system } from './store.js';

interface FiringAlert {
  readonly name: string;
  readonly severity: string;
  readonly summary: string;
  readonly description?: string;
}

export function Alerts(): Node {
  const { firing = [] } = (state.value?.sections.alerts ?? {}) as { firing?: readonly FiringAlert[] };
  if (firing.length === 0) return null;
  return html`<section class="alerts" aria-labelledby="alerts-title" role="alert">
    <h2 id="alerts-title">Alerts</h2>
    <ul>
      ${firing.map(
        ({ name, severity, summary, description }) =>
          html`<li class=${severity}>
            <b>${name}</b> ${summary}${description && html`<br /><small>${description}</small>`}
          </li>`,
      )}
    </ul>
  </section>`;
}

/** Locks, elections, configuration, and whatever else a part of the app tells. */
export function Sections(): Node {
  const known = Object.entries(state.value?.sections ?? {}).filter(
    ([name, value]) => name !== 'alerts' && value !== undefined && value !== null,
  );
  if (known.length === 0) return null;
  return html`<section class="sections" aria-labelledby="sections-title">
    <h2 id="sections-title">Locks, leaders and configuration</h2>
    ${known.map(
      ([name, value]) =>
        html`<details open key=${name}>
          <summary>${name}</summary>
          <${Value} value=${value} />
        </details>`,
    )}
  </section>`;
}

/** `Array.isArray` does not narrow a read-only list. */
function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

/** What JSON can have. */
type Json =
  string | number | boolean | null | undefined | readonly Json[] | { readonly [name: string]: Json };

function Value({ value }: { value: Json }): Node {
  if (value === null || value === undefined) return html`<span class="empty">–</span>`;
  if (isList(value))
    return value.length === 0
      ? html`<span class="empty">none</span>`
      : html`<ul class="values">
          ${value.map((each: Json) => html`<li><${Value} value=${each} /></li>`)}
        </ul>`;
  if (typeof value === 'object')
    return html`<dl class="values">
      ${Object.entries(value).map(
        ([name, each]) =>
          html`<dt>${name}</dt>
            <dd><${Value} value=${each} /></dd>`,
      )}
    </dl>`;
  return html`${String(value)}`;
}

export function System(): Node {
  if (state.value?.scope !== 'all') return null;
  const { peers, left } = system.value;
  const differing = disagreementsOf(allStates.value);
  return html`<section class="system" aria-labelledby="system-title">
    <h2 id="system-title">All apps</h2>
    <p>${peers.length} others answer or should${left > 0 && html`; ${left} more were not asked`}</p>
    ${peers
      .filter(({ error }) => error !== undefined)
      .map(({ id, error }) => html`<p class="bad" key=${id}>${id}: ${error}</p>`)}
    ${
      differing.length > 0 &&
      html`<h3>Apps disagree about</h3>
        <ul>
          ${differing.map(
            ({ service, instance, states }) =>
              html`<li key=${`${service} ${instance}`}>
                <b>${instance}</b> of ${service}:
                ${Object.entries(states).map(
                  ([each, apps]) => html`<span class="seen">${each} for ${apps.join(', ')}</span>`,
                )}
              </li>`,
          )}
        </ul>`
    }
  </section>`;
}
