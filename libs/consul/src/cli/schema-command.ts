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

/** Each tree, and so each file, may have a part of the values only: nothing of it is required. */
function ofOneTree(value: unknown, key?: string): unknown {
  if (Array.isArray(value)) return value.map((each) => ofOneTree(each));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value)
    // A value may have that name.
    .filter(([name]) => name !== 'required' || key === 'properties')
    .map(([name, inner]) => [name, ofOneTree(inner, name)]);
  return Object.fromEntries(entries);
}
