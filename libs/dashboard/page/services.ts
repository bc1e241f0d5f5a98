import { useMemo } from 'preact/hooks';
import {
  duration,
  matches,
  milliseconds,
  rate,
  severityOfInstance,
  severityOfService,
  sorted,
} from './model.js';
import { html, type Node } from './html.js';
import type { ServiceCard } from '../src/dashboard-state.js';
import { Mark, Sparkline } from './pieces.js';
import { filter, setFilter, state } from './store.js';
import { memo } from './memo.js';

/** Of a large service the rest is in its details. */
const MOST_DOTS = 40;

export function Services(): Node {
  const shown = sorted((state.value?.services ?? []).filter((card) => matches(card, filter.value)));
  return html`<section class="services" aria-labelledby="services-title">
    <h2 id="services-title">Services</h2>
    ${
      shown.length === 0 &&
      html`<p class="empty">
        ${state.value?.services.length ? 'None of the services matches.' : 'This app has not called a service yet.'}
      </p>`
    }
    <ul class="cards">
      ${shown.map((card) => html`<${Card} key=${card.name} card=${card} />`)}
    </ul>
  </section>`;
}

/** A card that is the same as before is not drawn again: of hundreds few change. */
const Card = memo<{ card: ServiceCard }>(({ card }): Node => {
  const { name, usable, instances, calls, rates, latencies, failures, error, ageMs, circuit } = card;
  const severity = severityOfService(card);
  const dots = useMemo(
    () => [...instances].sort((a, b) => severityOfInstance(b) - severityOfInstance(a)).slice(0, MOST_DOTS),
    [instances],
  );
  const open = (instance = ''): void => setFilter({ open: instance === '' ? name : `${name}/${instance}` });
  return html`<li class=${`card s${severity}`}>
    <h3>
      <button type="button" class="plain" onClick=${() => open()}>
        <${Mark} severity=${severity} /> ${name}
      </button>
    </h3>
    <p class="counts">
      <b>${usable}</b> of ${instances.length} usable
      ${circuit === 'open' && html` · <span class="bad">circuit open</span>`}
      ${error !== undefined && html` · <span class="bad" title=${error}>list ${duration(ageMs ?? 0)} old</span>`}
    </p>
    <ul class="dots" aria-label=${`Instances of ${name}`}>
      ${dots.map(
        (instance) =>
          html`<li key=${instance.key}>
            <button
              type="button"
              class=${`dot s${severityOfInstance(instance)}`}
              title=${`${instance.id}: ${instance.state}, ${instance.reason}`}
              aria-label=${`${instance.id}: ${instance.state}`}
              tabindex="-1"
              onClick=${() => open(instance.id)}
            ></button>
          </li>`,
      )}
      ${instances.length > MOST_DOTS && html`<li class="more">+${instances.length - MOST_DOTS}</li>`}
    </ul>
    ${
      calls &&
      html`<div class="sparks">
        <div>
          <span>${rate(calls.perSecond)}/s</span
          ><${Sparkline} values=${rates} label=${`calls a second: ${rate(calls.perSecond)}`} />
        </div>
        <div>
          <span>p99 ${milliseconds(calls.p99Ms)}</span
          ><${Sparkline} values=${latencies} label=${`99th percentile: ${milliseconds(calls.p99Ms)}`} />
        </div>
        <div>
          <span class=${calls.failedPerSecond > 0 ? 'bad' : ''}>${rate(calls.failedPerSecond)} failed/s</span
          ><${Sparkline}
            values=${failures}
            label=${`failed a second: ${rate(calls.failedPerSecond)}`}
            bad=${true}
          />
        </div>
      </div>`
    }
  </li>`;
});
