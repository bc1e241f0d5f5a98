import { DiscoveryError } from '@rookery/discovery';
import { isStandardSchema, issuePath, type StandardSchema } from '@rookery/discovery/adapter';

/** How values are written to the key-value store, and read from it. */
export interface KvCodec<T> {
  encode(value: T): string | Uint8Array;
  /** @throws Error when the bytes are not a value; the message must not contain them */
  decode(bytes: Buffer): T;
}

/** Text in UTF-8: the codec of every method without another one. */
export const textCodec: KvCodec<string> = {
  encode: (value) => value,
  decode: (bytes) => bytes.toString('utf8'),
};

export const bytesCodec: KvCodec<Uint8Array> = { encode: (value) => value, decode: (bytes) => bytes };

/**
 * JSON, and optionally a schema (zod and others) that checks what is read.
 *
 * @example
 * ```ts
 * const limits = await kv.get('shop/limits', { codec: jsonCodec<Limits>() });
 * ```
 * @throws DiscoveryError `RK_INVALID_ARGUMENT` for a schema that is none
 */
export function jsonCodec<T = unknown>(schema?: StandardSchema): KvCodec<T> {
  if (schema !== undefined && !isStandardSchema(schema)) {
    throw new DiscoveryError('RK_INVALID_ARGUMENT', 'jsonCodec: the schema is no Standard Schema', {
      hint: 'Use one such as z.object({ ... }) of zod',
    });
  }
  return {
    encode: (value) => {
      const text = JSON.stringify(value) as string | undefined;
      if (text === undefined) throw new Error(`${typeof value} has no form in JSON`);
      return text;
    },
    decode: (bytes) => {
      const value = parse(bytes);
      return (schema ? checked(schema, value) : value) as T;
    },
  };
}

/** The message of the parser quotes the text. */
function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    throw new Error('it is not JSON');
  }
}

function checked(schema: StandardSchema, value: unknown): unknown {
  const result = schema['~standard'].validate(value);
  if ('then' in result) {
    // Its rejection would end the process.
    result.then(undefined, () => undefined);
    throw new Error('its schema is asynchronous');
  }
  if (!result.issues) return result.value;
  const places = result.issues.map((issue) => issuePath(issue) || 'the value');
  throw new Error(`it is not as its schema declares: ${[...new Set(places)].join(', ')}`);
}
