// What an option accepts, in the words of the error that its schema gives for another value.
import { z } from 'zod';

/** No option has this value. */
const WRONG = Symbol('wrong');
const HINT_OF_DURATIONS = /\. Use milliseconds .*$/s;
/** The default stands beside it. */
const LEFT_OUT = /; leave it out[^;]*$/;
const OBJECT = String.raw`\{(?:[^{}]|\{[^{}]*\})*\}`;
/** What is code in such a text: texts in quotes, objects, arrays, and calls with them. */
const CODE = new RegExp(String.raw`(?:[\w.]+\()?${OBJECT}\)?|\[[^[\]]*\]|(?<!\w)'[^']+'(?!\w)`, 'g');

/** The text behind "must be" in the error of a schema, as Markdown; undefined: it has no words of its own. */
export function valuesOf(schema) {
  const error = schema.safeParse(WRONG).error?.issues[0];
  const values = /^(?:is missing; (?:it )?)?must be (?<values>.*)$/s.exec(error?.message ?? '')?.groups
    ?.values;
  return values
    ?.replace(HINT_OF_DURATIONS, '')
    .replace(LEFT_OUT, '')
    .trim()
    .replaceAll(CODE, (code) => `\`${code}\``)
    .replaceAll('<', '&lt;');
}

/** The objects with known keys that a schema takes: itself, in a list, by name, or among others. @returns {readonly z.ZodObject[]} */
export function objectsIn(schema) {
  if (schema instanceof z.ZodObject) return schema.def.catchall instanceof z.ZodUnknown ? [] : [schema];
  if (schema instanceof z.ZodOptional) return objectsIn(schema.unwrap());
  if (schema instanceof z.ZodArray) return objectsIn(schema.element);
  if (schema instanceof z.ZodRecord) return objectsIn(schema.valueType);
  if (schema instanceof z.ZodUnion) return schema.options.flatMap((option) => objectsIn(option));
  return [];
}

/** Whether an object with these keys is one of the schema. */
export function hasKeys({ shape }, keys) {
  return Object.keys(shape).length === keys.length && keys.every((key) => key in shape);
}
