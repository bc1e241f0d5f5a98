import { DiscoveryError } from '@rookery/discovery';
import { closeNames, errorMessage } from '@rookery/discovery/adapter';
import { check } from './check-command.js';
import { doctor } from './doctor.js';
import { diff, exportFolder, importFolder } from './folder-commands.js';
import { get, put, remove, watch } from './key-commands.js';
import { schema } from './schema-command.js';
import { explain, services, status, watchService } from './service-commands.js';
import { CommandError, UsageError, type Terminal } from './terminal.js';
import { USAGE } from './usage.js';

type Command = (args: readonly string[], terminal: Terminal) => Promise<number>;

/** Of services. */
const SERVICE_COMMANDS: Readonly<Record<string, Command>> = {
  status,
  services,
  explain,
  watch: watchService,
  doctor,
};

/** Of the group `config`. */
const COMMANDS: Readonly<Record<string, Command>> = {
  check,
  schema,
  diff,
  get,
  put,
  delete: remove,
  watch,
  import: importFolder,
  export: exportFolder,
};

/** Runs a command line. @returns the exit code */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  const [group, name, ...rest] = args;
  // What follows a double dash is no option.
  const options = args.includes('--') ? args.slice(0, args.indexOf('--')) : args;
  if (group === undefined || options.includes('--help') || options.includes('-h')) {
    terminal.print(USAGE);
    return group === undefined ? 2 : 0;
  }
  try {
    const ofServices = Object.hasOwn(SERVICE_COMMANDS, group) ? SERVICE_COMMANDS[group] : undefined;
    if (ofServices) return await ofServices(args.slice(1), terminal);
    if (group !== 'config') throw new UsageError(unknownGroup(group));
    const command = name !== undefined && Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (!command) throw new UsageError(unknown(name));
    return await command(rest, terminal);
  } catch (error) {
    if (terminal.signal.aborted) return 2;
    terminal.tell(`rookery: ${errorMessage(error)}\n`);
    if (error instanceof UsageError) terminal.tell('rookery --help lists the commands and their options\n');
    else if (!(error instanceof CommandError || error instanceof DiscoveryError))
      terminal.tell(`${(error as Error).stack ?? ''}\n`);
    return 2;
  }
}

function unknownGroup(name: string): string {
  const known = [...Object.keys(SERVICE_COMMANDS), 'config'];
  const [close] = closeNames(name, known);
  return `unknown command: ${name}. ${close === undefined ? `There are ${known.join(', ')}` : `Is it ${close}?`}`;
}

function unknown(name: string | undefined): string {
  if (name === undefined) return `a command is missing: ${Object.keys(COMMANDS).join(', ')}`;
  const [close] = closeNames(name, Object.keys(COMMANDS));
  return `unknown command: config ${name}. ${close === undefined ? `There are ${Object.keys(COMMANDS).join(', ')}` : `Is it ${close}?`}`;
}
