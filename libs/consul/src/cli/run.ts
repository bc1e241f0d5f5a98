import { DiscoveryError } from '@rookery/discovery';
import { closeNames, errorMessage } from '@rookery/discovery/adapter';
import { check } from './check-command.js';
import { doctor } from './doctor.js';
import { diff, exportFolder, importFolder } from './folder-commands.js';
import { get, put, remove, watch } from './key-commands.js';
import { explain, services, status, watchService } from './service-commands.js';
import { CommandError, UsageError, type Terminal } from './terminal.js';

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
  diff,
  get,
  put,
  delete: remove,
  watch,
  import: importFolder,
  export: exportFolder,
};

const USAGE = `usage: rookery COMMAND [OPTIONS], or rookery config COMMAND [OPTIONS]

  status           the agent, and the services that are registered with it
  services         all services, with their instances by status
  explain SERVICE  its instances, their checks, and what those say
                   --app URL: why that app calls them or not, such as --app http://127.0.0.1:3000
  watch SERVICE    its instances, and each change of them, until Ctrl-C
  doctor           whether an app can work here: agent, token, clock, address, ports; and what to do
                   --app URL: an app that runs
                   --json: for programs, with each of these

rookery config

  check [FOLDER]   reads the trees of a service as the app would, from a folder or from Consul, and says what is wrong
                   --settings FILE[#EXPORT]: what consulConfig(...) returned; or else
                   --name NAME  --profile NAME (repeatable)  --prefix config  --format keys|json|yaml|properties|files
                   --data-key data  --order name|profile  --schema FILE[#EXPORT]
  diff FOLDER      shows what import would change; the exit code is 1 if there is anything
                   --prefix config  --prune (also delete keys that the folder does not have)
  import FOLDER    shows the same, asks, and applies it in transactions of up to 64 keys
                   --prefix config  --prune  --yes (do not ask)  --dry-run
  export FOLDER    writes each key to a file
                   --prefix config  --force (overwrite files with another content)
  get KEY          prints a value
  put KEY VALUE    writes a value; "-" is standard input; "--" comes before one that begins with a dash
  delete KEY       deletes a key
  watch PREFIX     prints the keys, and each change of them, until Ctrl-C

  --secret PATH    a value that is not shown (repeatable), besides password, token, secret, apiKey and the like
  --http-addr, --token-file, --ca-file, --client-cert, --client-key, --datacenter, --namespace
                   as for the consul command; else its environment variables, such as CONSUL_HTTP_ADDR and CONSUL_HTTP_TOKEN

exit code: 0 nothing is wrong or different, 1 something is, 2 the command could not be run
`;

/** Runs a command line. @returns the exit code */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  const [group, name, ...rest] = args;
  if (group === undefined || args.includes('--help') || args.includes('-h')) {
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
