import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { Transform, type Duplex, type TransformCallback } from 'node:stream';
import type { AxiosHeaders } from 'axios';

/** As axios: what was received is decoded although its end is missing. */
const ZLIB = { flush: zlib.constants.Z_SYNC_FLUSH, finishFlush: zlib.constants.Z_SYNC_FLUSH };
const BROTLI = {
  flush: zlib.constants.BROTLI_OPERATION_FLUSH,
  finishFlush: zlib.constants.BROTLI_OPERATION_FLUSH,
};

/** Node has it since 22.15. */
interface ZstdZlib {
  readonly createZstdDecompress?: () => Duplex;
  readonly zstdDecompress?: unknown;
}

export type Encoding = 'zip' | 'deflate' | 'br' | 'zstd';

/** A map, since a peer may name any property that an object has. */
const ENCODINGS: ReadonlyMap<string, Encoding> = new Map([
  ['gzip', 'zip'],
  ['x-gzip', 'zip'],
  ['compress', 'zip'],
  ['x-compress', 'zip'],
  ['deflate', 'deflate'],
  ['br', 'br'],
  ['zstd', 'zstd'],
]);

/**
 * The encoding of a body that is to be decoded; then its header is removed, as axios does. Peers may encode although `identity` was
 * asked for.
 *
 * @param hasBody false: only the header is removed
 */
export function takeEncoding(headers: AxiosHeaders, hasBody: boolean): Encoding | undefined {
  const name = headers.get('content-encoding');
  if (typeof name !== 'string') return undefined;
  const encoding = ENCODINGS.get(name.toLowerCase());
  if (encoding === 'zstd' && !hasZstd()) return undefined;
  if (encoding || !hasBody) headers.delete('content-encoding');
  return hasBody ? encoding : undefined;
}

/** @param maxBytes a longer result is an error with the code `ERR_BUFFER_TOO_LARGE` */
export async function decode(body: Buffer, encoding: Encoding, maxBytes: number): Promise<Buffer> {
  const limit = Number.isFinite(maxBytes) ? { maxOutputLength: Math.max(1, maxBytes) } : {};
  switch (encoding) {
    case 'zip':
      return promisify<zlib.InputType, zlib.ZlibOptions, Buffer>(zlib.unzip)(body, { ...ZLIB, ...limit });
    case 'deflate':
      return isWrapped(body)
        ? promisify<zlib.InputType, zlib.ZlibOptions, Buffer>(zlib.inflate)(body, { ...ZLIB, ...limit })
        : promisify<zlib.InputType, zlib.ZlibOptions, Buffer>(zlib.inflateRaw)(body, { ...ZLIB, ...limit });
    case 'br':
      return promisify<zlib.InputType, zlib.BrotliOptions, Buffer>(zlib.brotliDecompress)(body, {
        ...BROTLI,
        ...limit,
      });
    case 'zstd': {
      const zstd = (zlib as ZstdZlib).zstdDecompress as typeof zlib.unzip;
      return promisify<zlib.InputType, zlib.ZlibOptions, Buffer>(zstd)(body, limit);
    }
  }
}

/** Decodes while it is read. */
export function decoder(encoding: Encoding): Duplex {
  switch (encoding) {
    case 'zip':
      return zlib.createUnzip(ZLIB);
    case 'deflate':
      return new Deflated();
    case 'br':
      return zlib.createBrotliDecompress(BROTLI);
    case 'zstd': {
      const create = (zlib as ZstdZlib).createZstdDecompress;
      if (!create) throw new Error('this version of Node has no zstd');
      return create();
    }
  }
}

/** Decides by the first byte which form of deflate it is. */
class Deflated extends Transform {
  #inflate: Transform | undefined;

  override _transform(chunk: Buffer, _: BufferEncoding, done: TransformCallback): void {
    this.#of(chunk).write(chunk, () => done());
  }

  override _flush(done: TransformCallback): void {
    if (!this.#inflate) {
      done();
      return;
    }
    this.#inflate.once('end', () => done());
    this.#inflate.end();
  }

  #of(chunk: Buffer): Transform {
    if (this.#inflate) return this.#inflate;
    const inflate = isWrapped(chunk) ? zlib.createInflate(ZLIB) : zlib.createInflateRaw(ZLIB);
    inflate.on('data', (decoded: Buffer) => this.push(decoded));
    inflate.on('error', (error) => this.destroy(error));
    return (this.#inflate = inflate);
  }
}

function hasZstd(): boolean {
  return (zlib as ZstdZlib).createZstdDecompress !== undefined;
}

/** Of deflate, servers send both forms: wrapped by zlib (RFC 1950), as HTTP has it, and raw (RFC 1951). */
function isWrapped(body: Buffer): boolean {
  return body.length === 0 || ((body[0] ?? 0) & 0x0f) === 0x08;
}
