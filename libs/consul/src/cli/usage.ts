/** What `rookery --help` prints. */
export const USAGE = `usage: rookery COMMAND [OPTIONS], or rookery config COMMAND [OPTIONS]

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
  schema           prints the JSON Schema of the settings, for editors of the files
                   --settings FILE[#EXPORT], or --schema FILE[#EXPORT]
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
