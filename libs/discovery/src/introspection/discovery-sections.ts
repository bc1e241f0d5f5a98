import { Injectable } from '@nestjs/common';

/** What `GET /discovery` shows besides the services: a section for each part of the app that has something to tell. */
@Injectable()
export class DiscoverySections {
  readonly #sections = new Map<string, () => unknown>();

  /** @param explain undefined: there is nothing to tell */
  add(name: string, explain: () => unknown): void {
    this.#sections.set(name, explain);
  }

  explain(): Record<string, unknown> {
    return Object.fromEntries([...this.#sections].map(([name, explain]) => [name, explain()]));
  }
}
