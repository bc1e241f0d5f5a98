import { Injectable } from '@nestjs/common';
import { errorMessage } from '../errors/error-message.js';

/** What `GET /discovery` shows besides the services: a section for each part of the app that has something to tell. */
@Injectable()
export class DiscoverySections {
  readonly #sections = new Map<string, () => unknown>();

  /** @param explain undefined: there is nothing to tell */
  add(name: string, explain: () => unknown): void {
    this.#sections.set(name, explain);
  }

  explain(): Record<string, unknown> {
    return Object.fromEntries([...this.#sections].map(([name, explain]) => [name, isolated(explain)]));
  }
}

/** A part that cannot tell must not keep the others from it. */
function isolated(explain: () => unknown): unknown {
  try {
    return explain();
  } catch (error) {
    return { error: errorMessage(error) };
  }
}
