import { setTimeout as sleep } from 'node:timers/promises';

/** What the examples of locks work with: it notes who was there at the same time. */
export class Orders {
  most = 0;
  archived = 0;
  readonly saved: { readonly state: string; readonly fence: number }[] = [];
  #inside = 0;

  async charge(_orderId: string, { signal }: { signal: AbortSignal }): Promise<void> {
    this.most = Math.max(this.most, ++this.#inside);
    await sleep(5, undefined, { signal });
    this.#inside--;
  }

  async save(_orderId: string, state: string, fence: number): Promise<void> {
    this.most = Math.max(this.most, ++this.#inside);
    await sleep(1);
    this.saved.push({ state, fence });
    this.#inside--;
  }

  async archive(_options: { signal: AbortSignal | undefined }): Promise<void> {
    await sleep(1);
    this.archived++;
  }
}
