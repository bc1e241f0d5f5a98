import { join } from 'node:path';
import { z } from 'zod';
import { errorMessage } from '../errors/error-message.js';
import { freezeInstance, type ServiceInstance } from '../registry/service-instance.js';
import { fileNameFor, readCheckedFile, writeCheckedFile } from '../storage/checked-file.js';
import type { Clock } from '../timing/clock.js';
import type { LastKnownList } from './last-known-list.js';

export interface SnapshotStoreOptions {
  readonly clock: Clock;
  readonly directory: string;
  /** A file could not be written, or cannot be used. */
  readonly onFailure: (file: string, reason: string) => void;
}

const FORMAT = 1;
/** Changes are collected for this time, so that a flapping service does not cause a write each time. */
const WRITE_INTERVAL_MS = 1_000;
/** A list that does not change is written at this interval, so that its age on disk is right. */
const CONFIRM_INTERVAL_MS = 300_000;

const text = z.string();
const instanceSchema = z.strictObject({
  id: text.min(1),
  service: text.min(1),
  address: text.min(1),
  // Not range-checked: Consul accepts any number.
  port: z.number().int(),
  secure: z.boolean(),
  inMesh: z.boolean().optional(),
  tags: z.array(text),
  meta: z.record(text, text),
  status: z.enum(['passing', 'warning', 'critical', 'maintenance']),
  weight: z.number(),
  zone: text.optional(),
  node: text,
  datacenter: text,
} satisfies Record<keyof ServiceInstance, z.ZodType>);
const contentSchema = z.strictObject({
  format: z.literal(FORMAT),
  /** Identifies the list, so that a file that was renamed or copied is not taken for another. */
  key: text,
  confirmedAt: z.number().positive(),
  instances: z.array(instanceSchema),
});

interface Pending {
  readonly key: string;
  readonly list: LastKnownList;
}

/**
 * Saves lists on disk, one file each, for a process that starts while the registry is unreachable.
 */
export class SnapshotStore {
  readonly #options: SnapshotStoreOptions;
  readonly #pending = new Map<string, Pending>();
  readonly #written = new Map<string, { list: LastKnownList; at: number }>();
  #cancel: (() => void) | undefined;
  #writing: Promise<void> = Promise.resolve();
  #hasFailed = false;

  constructor(options: SnapshotStoreOptions) {
    this.#options = options;
  }

  /** Undefined when there is no usable file. */
  async load(key: string): Promise<LastKnownList | undefined> {
    const file = this.#file(key);
    try {
      const content = await readCheckedFile(file);
      return content === undefined ? undefined : parse(content, key);
    } catch (error) {
      this.#options.onFailure(file, `ignored: ${errorMessage(error)}`);
      return undefined;
    }
  }

  /** Writes the list a moment later; of several lists with the same key only the last. */
  save(key: string, list: LastKnownList): void {
    const { clock } = this.#options;
    const written = this.#written.get(key);
    const isKnown = written?.list.instances === list.instances;
    if (isKnown && clock.now() - written.at < CONFIRM_INTERVAL_MS) return;
    this.#pending.set(key, { key, list });
    this.#cancel ??= clock.after(WRITE_INTERVAL_MS, () => {
      this.#cancel = undefined;
      void this.flush();
    });
  }

  /** Releases the memory for this key; its file stays. */
  forget(key: string): void {
    this.#written.delete(key);
  }

  /** Writes all pending lists. */
  async flush(): Promise<void> {
    this.#cancel?.();
    this.#cancel = undefined;
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    this.#writing = this.#writing.then(async () => {
      for (const { key, list } of pending) await this.#write(key, list);
    });
    return this.#writing;
  }

  async #write(key: string, list: LastKnownList): Promise<void> {
    const { clock, onFailure } = this.#options;
    const file = this.#file(key);
    try {
      await writeCheckedFile(file, serialize(key, list));
      this.#written.set(key, { list, at: clock.now() });
      this.#hasFailed = false;
    } catch (error) {
      // A full disk is reported once, not with every change of every service.
      if (!this.#hasFailed) onFailure(file, `cannot be written: ${errorMessage(error)}`);
      this.#hasFailed = true;
    }
  }

  #file(key: string): string {
    return join(this.#options.directory, fileNameFor(key));
  }
}

function serialize(key: string, { instances, confirmedAt }: LastKnownList): string {
  return JSON.stringify({ format: FORMAT, key, confirmedAt, instances });
}

/** @throws Error with the reason when it is not a list with this key */
function parse(content: string, key: string): LastKnownList {
  const parsed = contentSchema.safeParse(JSON.parse(content));
  if (!parsed.success) throw new Error(`unknown format: ${parsed.error.issues[0]?.message}`);
  if (parsed.data.key !== key) throw new Error('the list of another query');
  const instances = parsed.data.instances.map((instance) =>
    freezeInstance({ ...instance, zone: instance.zone }),
  );
  return { instances, source: 'disk', confirmedAt: parsed.data.confirmedAt };
}
