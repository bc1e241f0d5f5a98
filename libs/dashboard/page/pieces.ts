import { duration, severityOf, sparkline, stripOf, SEVERITY_NAMES } from './model.js';
import { html, type Node } from './html.js';
import type { InstanceCard } from '../src/dashboard-state.js';
import { now } from './store.js';

const WIDTH = 120;
const HEIGHT = 28;
const SLOTS = 60;
const STRIP_MS = 600_000;

/** A mark for how bad it is: a shape as well, so that it does not depend on colours. */
export function Mark({ severity, label }: { severity: 0 | 1 | 2 | 3; label?: string }): Node {
  const shapes = ['●', '◐', '▲', '■'];
  return html`<span class=${`mark s${severity}`} role="img" aria-label=${label ?? SEVERITY_NAMES[severity]}
    >${shapes[severity]}</span
  >`;
}

export function Sparkline({
  values,
  label,
  bad,
}: {
  values: readonly number[];
  label: string;
  bad?: boolean;
}): Node {
  const path = sparkline(values, WIDTH, HEIGHT, SLOTS);
  return html`<svg
    class=${bad ? 'spark bad' : 'spark'}
    viewBox=${`0 0 ${WIDTH} ${HEIGHT}`}
    preserveAspectRatio="none"
    role="img"
    aria-label=${label}
  >
    ${path && html`<path d=${path} />`}
  </svg>`;
}

/** The states of an instance in the last ten minutes. */
export function Strip({ instance }: { instance: InstanceCard }): Node {
  const parts = stripOf(instance, now.value, STRIP_MS);
  const since = duration(now.value - instance.since);
  return html`<svg
    class="strip"
    viewBox="0 0 100 6"
    preserveAspectRatio="none"
    role="img"
    aria-label=${`${instance.state} for ${since}; ${parts.length} states in ten minutes`}
  >
    ${parts.map(
      ({ from, to, state }) =>
        html`<rect
          class=${`s${severityOf(state)}`}
          x=${from * 100}
          y="0"
          width=${Math.max(0.5, (to - from) * 100)}
          height="6"
        />`,
    )}
  </svg>`;
}
