import { errorMessage } from '@rookery/discovery/adapter';
import { parseCommand, positionals } from './command-options.js';
import { settingsOf } from './command-settings.js';
import { CommandError, UsageError, type Terminal } from './terminal.js';

/** Standard JSON Schema (https://standardschema.dev/json-schema), which zod, ArkType and Valibot implement. */
interface JsonSchemaSource {
  readonly '~standard'?: {
    readonly jsonSchema?: { readonly input: (options: { readonly target: 'draft-07' }) => object };
  };
}

/** `schema`: the schema of the settings as JSON Schema, for editors of the files of a folder. */
export async function schema(args: readonly string[], terminal: Terminal): Promise<number> {
  const command = parseCommand(args, { settings: { type: 'string' }, schema: { type: 'string' } });
  positionals(command, []);
  if (command.values.settings === undefined && command.values.schema === undefined)
    throw new UsageError('--settings FILE[#EXPORT] or --schema FILE[#EXPORT] is missing');
  const { schema: found } = await settingsOf(command, terminal);
  if (found === undefined) throw new CommandError('the settings have no schema: give consulConfig one');
  const source = (found as JsonSchemaSource)['~standard']?.jsonSchema;
  if (source === undefined)
    throw new CommandError(
      'the schema cannot be written as JSON Schema: use zod 4.2 or later, or another library with Standard JSON Schema',
    );
  let whole: object;
  try {
    // What is read, before defaults and conversions.
    whole = source.input({ target: 'draft-07' });
  } catch (error) {
    throw new CommandError(`the schema cannot be written as JSON Schema: ${errorMessage(error)}`, {
      cause: error,
    });
  }
  terminal.print(`${JSON.stringify(ofOneTree(whole), null, 2)}\n`);
  return 0;
}

/** Below these keywords the names are those of the settings. */
const NAMED: ReadonlySet<string> = new Set(['properties', 'patternProperties', '$defs', 'definitions']);
/** Below these are values. */
const DATA: ReadonlySet<string> = new Set(['default', 'const', 'enum', 'examples']);

/**
 * Each tree, and so each file, may have a part of the values only: nothing of it is required, and a part may be one of several alternatives at once.
 */
function ofOneTree(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(ofOneTree);
  if (typeof schema !== 'object' || schema === null) return schema;
  const entries = Object.entries(schema).flatMap(([keyword, value]: [string, unknown]) => {
    if (keyword === 'required') return [];
    if (keyword === 'oneOf') return [['anyOf', ofOneTree(value)]];
    if (DATA.has(keyword)) return [[keyword, value]];
    return [[keyword, NAMED.has(keyword) ? eachNamed(value) : ofOneTree(value)]];
  });
  return Object.fromEntries(entries);
}

function eachNamed(schemas: unknown): unknown {
  return Object.fromEntries(
    Object.entries(schemas as object).map(([name, schema]) => [name, ofOneTree(schema)]),
  );
}
