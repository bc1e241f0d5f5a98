import type { ServiceCaller } from '../calling/service-caller.js';
import { withCalls } from '../calling/call-explanation.js';
import type { CallCounts } from '../calling/call-statistics.js';
import { explainView, type ServiceExplanation } from '../catalog/explanation.js';
import type { ServiceCatalog } from '../catalog/service-catalog.js';
import type { ServiceView } from '../catalog/service-view.js';

/** A service in use, cheap to look at: it is explained only where that is wanted. */
export interface InspectedService {
  readonly service: string;
  /** Another one whenever something of its list has changed. */
  readonly version: string;
  /** The calls of this app so far; undefined: there were none. */
  readonly calls: CallCounts | undefined;
  readonly inFlight: number;
  readonly ejected: number;
  readonly ageMs: number | undefined;
  /** Why its list cannot be updated. */
  readonly error: string | undefined;
  readonly explain: () => ServiceExplanation;
}

/** What an app knows of the services that it uses, for pages and commands that show it. */
export class AppInspector {
  readonly #catalog: ServiceCatalog;
  readonly #caller: ServiceCaller;

  constructor(catalog: ServiceCatalog, caller: ServiceCaller) {
    this.#catalog = catalog;
    this.#caller = caller;
  }

  /** Each service once, by its widest query. */
  get services(): readonly InspectedService[] {
    return this.#catalog.widestViews.map((view) => {
      const { service, snapshot, sources } = view;
      const context = this.#caller.find(service);
      const calls = context?.statistics.snapshot;
      const { inFlight, ejected } = context?.load ?? { inFlight: 0, ejected: 0 };
      const failing = sources.find(({ watcher }) => watcher.isFailing);
      return {
        service,
        version: [
          ...sources.map(({ watcher }) => watcher.snapshot?.version ?? 0),
          snapshot?.version ?? 0,
          snapshot?.source ?? '',
          context?.ejectedIds ?? '',
          inFlight,
          context?.limits?.circuit ?? '',
          failing === undefined,
        ].join(' '),
        calls: calls && calls.calls > 0 ? calls : undefined,
        inFlight,
        ejected,
        ageMs: snapshot?.ageMs,
        error: failing?.watcher.report.error,
        explain: () => this.#explain(view),
      };
    });
  }

  /** @returns undefined: the service is not in use. To ask for it starts no watch. */
  explain(service: string): ServiceExplanation | undefined {
    const view = this.#catalog.widestViews.find((each) => each.service === service);
    return view && this.#explain(view);
  }

  /** @returns whether an instance of this id was ejected, and takes calls again */
  uneject(service: string, id: string): boolean {
    return this.#caller.find(service)?.uneject(id, 'by an operator') ?? false;
  }

  #explain(view: ServiceView): ServiceExplanation {
    const known = this.#caller.peek(view.service, view.query);
    return known ? withCalls(explainView(view), this.#caller, known) : explainView(view);
  }
}
