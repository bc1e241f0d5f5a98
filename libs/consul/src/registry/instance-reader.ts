import { hash } from 'node:crypto';
import { instanceKey, reasonOf, type ServiceInstance } from '@rookery/discovery';
import { ConsulError } from '../client/consul-error.js';
import { splitEntries, type Pieces } from './entry-pieces.js';
import { toServiceInstance } from './to-service-instance.js';
import { Interner } from './interner.js';

/** From this size on a list is parsed piece by piece, and what was there before is not parsed again. */
const LARGE_BYTES = 64 * 1024;
/** The event loop is given to others after so many milliseconds. */
const SLICE_MS = 8;

/** What the last large list was made of. */
interface Read {
  readonly body: Buffer;
  readonly pieces: Pieces;
  readonly instances: readonly ServiceInstance[];
}

/**
 * Reads the answers of one watch, one after the other. An answer like the one before is not parsed at all, and of a large
 * one only the elements that are new: one instance of 5,000 that changes sends all of them again, and parsing those
 * takes 75 ms of everybody's time.
 */
export class InstanceReader {
  readonly #interner = new Interner();
  #digest: string | undefined;
  #instances: readonly ServiceInstance[] = [];
  #last: Read | undefined;

  /** @throws ConsulError `RK_REGISTRY_BAD_ANSWER` when it is no list of instances */
  async read(body: Buffer): Promise<readonly ServiceInstance[]> {
    const digest = hash('sha1', body, 'base64');
    if (digest === this.#digest) return this.#instances;
    const pieces = body.length >= LARGE_BYTES ? splitEntries(body) : undefined;
    // What stands between two elements may also stand within one, in the configuration of a proxy: then all is parsed.
    const parts = pieces && (await this.#readPieces(body, pieces).catch(() => undefined));
    const instances = parts ?? this.#readWhole(body);
    this.#last = pieces && parts && { body, pieces, instances };
    this.#instances = instances;
    this.#digest = digest;
    return instances;
  }

  #readWhole(body: Buffer): ServiceInstance[] {
    const list = parse(body.toString('utf8'));
    if (!Array.isArray(list)) throw badAnswer('it is no array');
    return list.map((entry) => this.#interner.intern(toServiceInstance(entry)));
  }

  async #readPieces(body: Buffer, { starts, ends }: Pieces): Promise<ServiceInstance[]> {
    const last = this.#last;
    const instances: ServiceInstance[] = [];
    let positions: Map<string, number> | undefined;
    let before = 0;
    let sliceEnds = performance.now() + SLICE_MS;
    for (let piece = 0; piece < starts.length; piece++) {
      const start = starts[piece] ?? 0;
      const end = ends[piece] ?? 0;
      const known = last && sameBytes(body, start, end, last, before) ? last.instances[before] : undefined;
      if (known) {
        instances.push(known);
        before++;
        continue;
      }
      const instance = this.#readPiece(body.toString('utf8', start, end));
      instances.push(instance);
      // Where it was before tells where to compare on: past it when it was changed, past the gap when others went.
      positions ??= new Map(last?.instances.map((held, at) => [instanceKey(held), at]));
      const was = positions.get(instanceKey(instance));
      if (was !== undefined) before = was + 1;
      if (performance.now() > sliceEnds) {
        await new Promise((resolve) => setImmediate(resolve));
        sliceEnds = performance.now() + SLICE_MS;
      }
    }
    return instances;
  }

  #readPiece(text: string): ServiceInstance {
    return this.#interner.intern(toServiceInstance(parse(text)));
  }
}

function sameBytes(body: Buffer, start: number, end: number, last: Read, piece: number): boolean {
  const lastStart = last.pieces.starts[piece];
  const lastEnd = last.pieces.ends[piece];
  if (lastStart === undefined || lastEnd === undefined || lastEnd - lastStart !== end - start) return false;
  return body.compare(last.body, lastStart, lastEnd, start, end) === 0;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badAnswer(reasonOf(error));
  }
}

function badAnswer(reason: string): ConsulError {
  return new ConsulError('RK_REGISTRY_BAD_ANSWER', `GET /v1/health/service → 200, but ${reason}`, {
    status: 200,
    retryable: true,
    hint: 'Something other than Consul may be answering at this address',
  });
}
