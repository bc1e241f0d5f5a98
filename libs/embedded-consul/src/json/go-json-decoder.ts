import { parseGoDuration } from './go-duration.js';
import { GoJsonError, GoNumber, GoObject, parseGoJson, type GoJson } from './go-json-parser.js';

/** How a JSON value becomes a Go value. `name` is the Go type, as in error messages. */
export type GoType =
  | { kind: 'string' | 'bool' | 'any' | 'duration' | 'bytes'; name: string }
  | { kind: 'int' | 'uint'; name: string; signed: boolean }
  | { kind: 'array' | 'map'; name: string; of: GoType }
  | GoStruct;

export interface GoStruct {
  kind: 'struct';
  name: string;
  fields: Readonly<Record<string, GoType>>;
  /** Other spellings of a field; Go matches any letter case by itself. */
  aliases?: Readonly<Record<string, string>>;
  /** Its name in errors of its fields; "" for the anonymous structs of Consul's own unmarshalers. */
  errorName: string;
  /** It has its own unmarshaler: errors within are reported for the field that holds it. */
  opaque?: boolean;
  /** Unknown fields are ignored. */
  lenient?: boolean;
}

export const goString: GoType = { kind: 'string', name: 'string' };
export const goBool: GoType = { kind: 'bool', name: 'bool' };
export const goInt: GoType = { kind: 'int', name: 'int', signed: true };
export const goUint64: GoType = { kind: 'uint', name: 'uint64', signed: false };
export const goAny: GoType = { kind: 'any', name: 'interface {}' };
/** An `interface{}` that Consul reads as a duration: a string, or a number of nanoseconds; anything else counts as none. */
export const goDuration: GoType = { kind: 'duration', name: 'interface {}' };
export const goBytes: GoType = { kind: 'bytes', name: '[]uint8' };
export const goArray = (of: GoType, name = `[]${of.name}`): GoType => ({ kind: 'array', name, of });
export const goMap = (of: GoType, name = `map[string]${of.name}`): GoType => ({ kind: 'map', name, of });

export type Decoded = Record<string, unknown>;

interface Context {
  /** `Struct.field.field`, or undefined at the top. */
  readonly struct: string | undefined;
  readonly path: string;
  /** Go reports the first error, and reads on. */
  readonly errors: Error[];
}

/** Reads a body as Go would into a struct; throws its first error. Durations come out in milliseconds. */
export function decodeGo(text: string, type: GoType): unknown {
  const json = parseGoJson(text);
  const context: Context = { struct: undefined, path: '', errors: [] };
  const value = decode(json, type, context);
  const [first] = context.errors;
  if (first) throw first;
  return value;
}

function decode(json: GoJson, type: GoType, context: Context): unknown {
  // null leaves every Go value as it is.
  if (json === null) return undefined;
  switch (type.kind) {
    case 'any':
      return plain(json);
    case 'string':
      return typeof json === 'string' ? json : mismatch(json, type, context);
    case 'bool':
      return typeof json === 'boolean' ? json : mismatch(json, type, context);
    case 'int':
    case 'uint':
      return decodeInteger(json, type, context);
    case 'bytes':
      return decodeBytes(json, type, context);
    case 'duration':
      return decodeDuration(json, context);
    case 'array':
      return Array.isArray(json)
        ? json.map((item) => decode(item, type.of, context) ?? zero(type.of))
        : mismatch(json, type, context);
    case 'map':
      if (!(json instanceof GoObject)) return mismatch(json, type, context);
      return Object.fromEntries(
        json.entries.map(([key, value]) => [key, decode(value, type.of, context) ?? zero(type.of)]),
      );
    case 'struct':
      return json instanceof GoObject ? decodeStruct(json, type, context) : mismatch(json, type, context);
  }
}

function decodeStruct(json: GoObject, type: GoStruct, outer: Context): Decoded {
  const result: Decoded = {};
  // Within a type that has its own unmarshaler Go loses the path.
  const errors: Error[] = type.opaque ? [] : outer.errors;
  for (const [key, value] of json.entries) {
    const name = fieldName(type, key);
    if (name === undefined) {
      if (!type.lenient) errors.push(new GoJsonError(`json: unknown field ${JSON.stringify(key)}`));
      continue;
    }
    const field = type.fields[name];
    if (!field) continue;
    const nested = outer.struct !== undefined && !type.opaque;
    const context: Context = {
      struct: nested ? outer.struct : type.errorName,
      path: nested ? `${outer.path}.${name}` : name,
      errors,
    };
    // Errors within a nested struct name the innermost struct, and the whole path.
    const decoded = decode(value, field, nested ? { ...context, struct: type.errorName } : context);
    if (decoded !== undefined) result[name] = decoded;
  }
  if (type.opaque && errors[0]) {
    const message = errors[0].message;
    const renamed =
      outer.struct === undefined
        ? message
        : message.replace(
            /Go struct field \S+ of type/,
            `Go struct field ${outer.struct}.${outer.path} of type`,
          );
    outer.errors.push(new GoJsonError(renamed));
  }
  return result;
}

function fieldName(type: GoStruct, key: string): string | undefined {
  if (key in type.fields) return key;
  const folded = key.toLowerCase();
  const known = Object.keys(type.fields).find((name) => name.toLowerCase() === folded);
  if (known !== undefined) return known;
  return Object.entries(type.aliases ?? {}).find(([alias]) => alias === folded)?.[1];
}

function decodeInteger(json: GoJson, type: GoType & { signed?: boolean }, context: Context): unknown {
  if (!(json instanceof GoNumber)) return mismatch(json, type, context);
  const whole = /^-?\d+$/.test(json.text) ? BigInt(json.text) : undefined;
  const least = type.signed ? -(2n ** 63n) : 0n;
  const most = type.signed ? 2n ** 63n - 1n : 2n ** 64n - 1n;
  if (whole === undefined || whole < least || whole > most)
    return mismatch(json, type, context, ` ${json.text}`);
  return type.signed ? Number(whole) : whole;
}

function decodeBytes(json: GoJson, type: GoType, context: Context): Buffer | undefined {
  if (typeof json !== 'string') {
    mismatch(json, type, context);
    return undefined;
  }
  const bad =
    /[^A-Za-z0-9+/=\r\n]/.exec(json)?.index ?? (json.length % 4 === 0 ? -1 : json.length - (json.length % 4));
  if (bad >= 0) {
    context.errors.push(new GoJsonError(`illegal base64 data at input byte ${bad}`));
    return undefined;
  }
  return Buffer.from(json, 'base64');
}

function decodeDuration(json: GoJson, context: Context): number | undefined {
  if (json instanceof GoNumber) return Number(json.text) / 1e6;
  if (typeof json !== 'string') return undefined;
  try {
    return parseGoDuration(json);
  } catch (error) {
    context.errors.push(error as Error);
    return undefined;
  }
}

function mismatch(json: GoJson, type: GoType, context: Context, literal = ''): unknown {
  const where =
    context.struct === undefined
      ? `Go value of type ${type.name}`
      : `Go struct field ${context.struct}.${context.path} of type ${type.name}`;
  context.errors.push(new GoJsonError(`json: cannot unmarshal ${kindOf(json)}${literal} into ${where}`));
  return undefined;
}

function kindOf(json: GoJson): string {
  if (typeof json === 'string') return 'string';
  if (typeof json === 'boolean') return 'bool';
  if (json instanceof GoNumber) return 'number';
  return Array.isArray(json) ? 'array' : 'object';
}

function zero(type: GoType): unknown {
  if (type.kind === 'string') return '';
  if (type.kind === 'bool') return false;
  if (type.kind === 'int') return 0;
  return type.kind === 'struct' ? {} : undefined;
}

function plain(json: GoJson): unknown {
  if (json instanceof GoNumber) return Number(json.text);
  if (Array.isArray(json)) return json.map(plain);
  if (json instanceof GoObject)
    return Object.fromEntries(json.entries.map(([key, value]) => [key, plain(value)]));
  return json;
}
