import { join } from 'node:path';
import { errorMessage } from '../../errors/error-message.js';
import { fileNameFor, readCheckedFile, writeCheckedFile } from '../../storage/checked-file.js';
import { z } from 'zod';
import type { LayerKeys } from './build-version.js';

const FORMAT = 1;
const contentSchema = z.strictObject({
  format: z.literal(FORMAT),
  /** Identifies the trees, so that a file that was renamed or copied is not taken for another. */
  key: z.string(),
  /** Milliseconds since 1970. */
  savedAt: z.number().positive(),
  layers: z.array(z.strictObject({ path: z.string(), entries: z.array(z.tuple([z.string(), z.base64()])) })),
});

export interface SavedConfig {
  readonly layers: readonly LayerKeys[];
  readonly savedAt: number;
}

/** A copy of the last good keys on disk, for a process that starts while the registry is unreachable. */
export class ConfigSnapshot {
  readonly #key: string;
  readonly #file: string;
  readonly #onFailure: (file: string, reason: string) => void;
  #writing: Promise<void> = Promise.resolve();
  #pending: string | undefined;
  #hasFailed = false;

  /** @param scope tells these trees from those of another registry or datacenter */
  constructor(
    directory: string,
    scope: readonly (string | null)[],
    onFailure: (file: string, reason: string) => void,
  ) {
    this.#key = `config ${JSON.stringify(scope)}`;
    this.#file = join(directory, fileNameFor(this.#key));
    this.#onFailure = onFailure;
  }

  /** Undefined when there is no usable file. */
  async load(): Promise<SavedConfig | undefined> {
    try {
      const content = await readCheckedFile(this.#file);
      return content === undefined ? undefined : this.#parse(content);
    } catch (error) {
      this.#onFailure(this.#file, `ignored: ${errorMessage(error)}`);
      return undefined;
    }
  }

  save(layers: readonly LayerKeys[]): void {
    const content = JSON.stringify({
      format: FORMAT,
      key: this.#key,
      savedAt: Date.now(),
      layers: layers.map(({ path, entries }) => ({
        path,
        entries: entries.map(({ key, value }) => [key, value.toString('base64')]),
      })),
    });
    // Of several versions only the last has to reach the disk.
    const isScheduled = this.#pending !== undefined;
    this.#pending = content;
    if (!isScheduled) this.#writing = this.#writing.then(() => this.#write());
  }

  async #write(): Promise<void> {
    const content = this.#pending ?? '';
    this.#pending = undefined;
    try {
      await writeCheckedFile(this.#file, content);
      this.#hasFailed = false;
    } catch (error) {
      // A full disk is reported once, not with every change.
      if (!this.#hasFailed) this.#onFailure(this.#file, `cannot be written: ${errorMessage(error)}`);
      this.#hasFailed = true;
    }
  }

  /** Resolves when everything is written. */
  flush(): Promise<void> {
    return this.#writing;
  }

  #parse(content: string): SavedConfig {
    const parsed = contentSchema.safeParse(JSON.parse(content));
    if (!parsed.success) throw new Error(`unknown format: ${parsed.error.issues[0]?.message}`);
    if (parsed.data.key !== this.#key) throw new Error('the configuration of another app');
    return {
      savedAt: parsed.data.savedAt,
      layers: parsed.data.layers.map(({ path, entries }) => ({
        path,
        entries: entries.map(([key, value]) => ({ key, value: Buffer.from(value, 'base64') })),
      })),
    };
  }
}
