import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { reasonOf } from '../errors/error-message.js';
import { freezeInstance } from '../registry/service-instance.js';
import type { Clock } from '../timing/clock.js';
import type { SavedList } from './last-known-list.js';

export interface SnapshotStoreOptions {
  readonly clock: Clock;
  readonly directory: string;
  /** A file could not be written, or cannot be used. */
  readonly onFailure: (file: string, reason: string) => void;
}

const FORMAT = 1;
/** A service that flaps is not worth a file each time. */
const WRITE_EVERY_MS = 1_000;
/** A list that does not change is written down all the same, so that its age is known. */
const CONFIRM_EVERY_MS = 300_000;

const text = z.string();
const instanceSchema = z.strictObject({
  id: text.min(1),
  service: text.min(1),
  address: text.min(1),
  // As the registry gave it: Consul takes any number.
  port: z.number().int(),
  secure: z.boolean(),
  tags: z.array(text),
  meta: z.record(text, text),
  status: z.enum(['passing', 'warning', 'critical', 'maintenance']),
  weight: z.number(),
  zone: text.optional(),
  node: text,
  datacenter: text,
});
const contentSchema = z.strictObject({
  format: z.literal(FORMAT),
  /** What the list is of; a file that was renamed or copied is not taken for another. */
  key: text,
  confirmedAt: z.number().positive(),
  instances: z.array(instanceSchema),
});
const fileSchema = z.strictObject({ checksum: text, content: text });

interface Pending {
  readonly key: string;
  readonly list: SavedList;
}

/**
 * Lists on disk, one file each, for a process that starts while the registry is away. Written whole and renamed, so that
 * nobody ever reads half a file, however many processes of a host write it; readable by their user only.
 */
export class SnapshotStore {
  readonly #options: SnapshotStoreOptions;
  readonly #pending = new Map<string, Pending>();
  readonly #written = new Map<string, { list: SavedList; at: number }>();
  #cancel: (() => void) | undefined;
  #writing: Promise<void> = Promise.resolve();
  #hasFailed = false;

  constructor(options: SnapshotStoreOptions) {
    this.#options = options;
  }

  /** Undefined when there is no file, or none that can be used. */
  async load(key: string): Promise<SavedList | undefined> {
    const file = this.#file(key);
    let bytes: string;
    try {
      bytes = await readFile(file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#options.onFailure(file, reasonOf(error));
      return undefined;
    }
    try {
      return parse(bytes, key);
    } catch (error) {
      this.#options.onFailure(file, `it is ignored: ${reasonOf(error)}`);
      return undefined;
    }
  }

  /** Written down a moment later; of several lists of one key only the last. */
  save(key: string, list: SavedList): void {
    const { clock } = this.#options;
    const written = this.#written.get(key);
    const isKnown = written?.list.instances === list.instances;
    if (isKnown && clock.now() - written.at < CONFIRM_EVERY_MS) return;
    this.#pending.set(key, { key, list });
    this.#cancel ??= clock.after(WRITE_EVERY_MS, () => {
      this.#cancel = undefined;
      void this.flush();
    });
  }

  /** What is on disk stays; what was kept of it in memory goes. */
  forget(key: string): void {
    this.#written.delete(key);
  }

  /** Writes what is still to be written. */
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

  async #write(key: string, list: SavedList): Promise<void> {
    const { directory, clock, onFailure } = this.#options;
    const file = this.#file(key);
    const temporary = `${file}.${process.pid}.${randomUUID()}`;
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const handle = await open(temporary, 'wx', 0o600);
      try {
        await handle.writeFile(serialize(key, list));
        // Else a machine that loses power right after the rename keeps an empty file.
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(temporary, file);
      this.#written.set(key, { list, at: clock.now() });
      this.#hasFailed = false;
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined);
      // A full disk is told of once, not with every change of every service.
      if (!this.#hasFailed) onFailure(file, `it cannot be written: ${reasonOf(error)}`);
      this.#hasFailed = true;
    }
  }

  #file(key: string): string {
    return join(this.#options.directory, `${sha256(key).slice(0, 32)}.json`);
  }
}

function serialize(key: string, { instances, confirmedAt }: SavedList): string {
  const content = JSON.stringify({ format: FORMAT, key, confirmedAt, instances });
  return JSON.stringify({ checksum: sha256(content), content });
}

/** @throws Error that says why it is not a list of this key */
function parse(bytes: string, key: string): SavedList {
  const { checksum, content } = fileSchema.parse(JSON.parse(bytes), { error: () => 'it is no snapshot' });
  if (sha256(content) !== checksum) throw new Error('its checksum is wrong');
  const parsed = contentSchema.safeParse(JSON.parse(content));
  if (!parsed.success) throw new Error(`it is of another format: ${parsed.error.issues[0]?.message}`);
  if (parsed.data.key !== key) throw new Error('it is the list of another query');
  const instances = parsed.data.instances.map((instance) =>
    freezeInstance({ ...instance, zone: instance.zone }),
  );
  return { instances, source: 'disk', confirmedAt: parsed.data.confirmedAt };
}

function sha256(data: string): string {
  return createHash('sha256').update(data).digest('hex');
}
