import { hash } from 'node:crypto';
import type { ServiceInstance } from '@rookery/discovery';
import { errorMessage, Interner, type InvalidInstance, instanceKey } from '@rookery/discovery/adapter';
import type { ServiceEntry } from '../client/api/types.js';
import { badResponse } from '../client/consul-requester.js';
import { splitEntries, type Pieces } from './entry-pieces.js';
import { toServiceInstance } from './to-service-instance.js';
import { idOf, invalidReason, isEntry } from './invalid-entry.js';

const REQUEST = 'GET /v1/health/service';

/** From this size on a list is parsed piece by piece, and unchanged elements are not parsed again. */
const LARGE_BYTES = 64 * 1024;
/** Parsing yields to the event loop after this time. */
const SLICE_MS = 8;

/** The last large list. */
interface PreviousList {
  readonly body: Buffer;
  readonly pieces: Pieces;
  /** One for each piece; undefined: it is invalid. */
  readonly instances: readonly (ServiceInstance | undefined)[];
}

/**
 * Reads the responses of one watch in order. A response that equals the previous one is not parsed, and of a large one only
 * the changed elements are: a change of one instance of 5,000 transfers all of them, and parsing those would block the event
 * loop for 75 ms.
 */
export class InstanceReader {
  readonly #interner = new Interner();
  #digest: string | undefined;
  #instances: readonly ServiceInstance[] = [];
  #invalid: readonly InvalidInstance[] = [];
  #found: InvalidInstance[] = [];
  #strangers = 0;
  #last: PreviousList | undefined;

  /** The elements of the last list that cannot be used, and are left out. */
  get invalid(): readonly InvalidInstance[] {
    return this.#invalid;
  }

  /** @throws ConsulError `RK_REGISTRY_BAD_RESPONSE` when it is not a list of instances */
  async read(body: Buffer): Promise<readonly ServiceInstance[]> {
    const digest = hash('sha1', body, 'base64');
    if (digest === this.#digest) return this.#instances;
    const pieces = body.length >= LARGE_BYTES ? splitEntries(body) : undefined;
    // The separator may also occur within an element, in the configuration of a proxy: then the list is parsed as a whole.
    const parts = pieces && (await this.#readPieces(body, pieces).catch(() => undefined));
    const elements = parts ?? this.#readWhole(body);
    this.#last = pieces && parts && { body, pieces, instances: parts };
    const instances = elements.flatMap((instance) => instance ?? []);
    const [first] = this.#found;
    if (first && instances.length === 0 && this.#strangers === this.#found.length)
      throw badResponse(REQUEST, 200, `none of its elements is an instance: ${first.reason}`);
    this.#invalid = this.#found;
    this.#instances = instances;
    this.#digest = digest;
    return instances;
  }

  #readWhole(body: Buffer): (ServiceInstance | undefined)[] {
    this.#found = [];
    this.#strangers = 0;
    const list = parse(body.toString('utf8'));
    if (!Array.isArray(list)) throw badResponse(REQUEST, 200, 'the body is not an array');
    return list.map((entry) => this.#convert(entry));
  }

  async #readPieces(body: Buffer, { starts, ends }: Pieces): Promise<(ServiceInstance | undefined)[]> {
    this.#found = [];
    this.#strangers = 0;
    const last = this.#last;
    const instances: (ServiceInstance | undefined)[] = [];
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
      const instance = this.#convert(parse(body.toString('utf8', start, end)));
      instances.push(instance);
      if (!instance) continue;
      // Comparison continues after its previous position, whether it changed or others before it were removed.
      positions ??= new Map(
        last?.instances.flatMap((held, at) => (held ? [[instanceKey(held), at] as const] : [])),
      );
      const position = positions.get(instanceKey(instance));
      if (position !== undefined) before = position + 1;
      if (performance.now() > sliceEnds) {
        await new Promise((resolve) => setImmediate(resolve));
        sliceEnds = performance.now() + SLICE_MS;
      }
    }
    return instances;
  }

  /** Undefined: it is invalid, and left out, so that it does not harm the others. */
  #convert(entry: unknown): ServiceInstance | undefined {
    const reason = invalidReason(entry);
    if (reason === undefined) return this.#interner.intern(toServiceInstance(entry as ServiceEntry));
    this.#found.push({ id: idOf(entry), reason });
    if (!isEntry(entry)) this.#strangers++;
    return undefined;
  }
}

function sameBytes(body: Buffer, start: number, end: number, last: PreviousList, piece: number): boolean {
  const lastStart = last.pieces.starts[piece];
  const lastEnd = last.pieces.ends[piece];
  if (lastStart === undefined || lastEnd === undefined || lastEnd - lastStart !== end - start) return false;
  return body.compare(last.body, lastStart, lastEnd, start, end) === 0;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badResponse(REQUEST, 200, errorMessage(error));
  }
}
