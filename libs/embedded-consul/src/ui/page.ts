/** What the agent has, live: each list is a read that blocks until it changes. */
export const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>embedded-consul</title>
<style>
  :root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
  body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
  h1 { font-size: 1.4rem; margin-bottom: 0; }
  h2 { font-size: 1.1rem; margin-top: 2rem; }
  p { margin-top: .3rem; }
  table { border-collapse: collapse; width: 100%; }
  th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #8884; overflow-wrap: anywhere; }
  .passing { color: #187a3b; } .warning { color: #8a5a00; } .critical { color: #b3261e; }
  @media (prefers-color-scheme: dark) { .passing { color: #7bd99b; } .warning { color: #f0bf5a; } .critical { color: #ff9d94; } }
  code { font-family: ui-monospace, monospace; font-size: .9em; }
  input { font: inherit; }
</style>
</head>
<body>
<h1>embedded-consul</h1>
<p>An agent with Consul's HTTP API for development and tests. Everything is in memory, and gone when it ends.
<span id="state" role="status">Connecting.</span></p>
<p id="ask" hidden><label>This agent has ACLs. Token: <input id="token" type="password" autocomplete="off"></label></p>
<h2>Services</h2>
<table><thead><tr><th scope="col">Service</th><th scope="col">Instance</th><th scope="col">Address</th><th scope="col">Tags</th><th scope="col">State</th></tr></thead><tbody id="services"></tbody></table>
<h2>Checks</h2>
<table><thead><tr><th scope="col">Check</th><th scope="col">Of</th><th scope="col">State</th><th scope="col">Output</th></tr></thead><tbody id="checks"></tbody></table>
<h2>Keys and values</h2>
<table><thead><tr><th scope="col">Key</th><th scope="col">Value</th></tr></thead><tbody id="keys"></tbody></table>
<script>
const byId = (id) => document.getElementById(id);
let token = '';
let round = 0;
const lists = { checks: [], catalog: {}, keys: [] };

function cell(text, className) {
  const td = document.createElement('td');
  td.textContent = text;
  if (className) td.className = className;
  return td;
}
function show(id, rows) {
  byId(id).replaceChildren(...rows.map((cells) => {
    const tr = document.createElement('tr');
    tr.append(...cells);
    return tr;
  }));
  if (rows.length === 0) {
    const tr = document.createElement('tr');
    const td = cell('None.');
    td.colSpan = 5;
    tr.append(td);
    byId(id).append(tr);
  }
}
function worst(statuses) {
  return ['critical', 'warning'].find((each) => statuses.includes(each)) ?? 'passing';
}
function draw() {
  show('services', Object.values(lists.catalog).flat().map((instance) => {
    const statuses = lists.checks
      .filter((check) => check.Node === instance.Node && (check.ServiceID === '' || check.ServiceID === instance.ServiceID))
      .map((check) => check.Status);
    const state = worst(statuses);
    const address = (instance.ServiceAddress || instance.Address) + ':' + instance.ServicePort;
    return [cell(instance.ServiceName), cell(instance.ServiceID), cell(address), cell(instance.ServiceTags.join(', ')), cell(state, state)];
  }));
  show('checks', lists.checks.map((check) => [
    cell(check.Name), cell(check.ServiceID || check.Node), cell(check.Status, check.Status), cell(check.Output),
  ]));
  show('keys', lists.keys.map(({ Key, Value }) => [cell(Key), cell(textOf(Value))]));
}
function textOf(value) {
  if (value === null) return '';
  const bytes = Uint8Array.from(atob(value), (each) => each.charCodeAt(0));
  const text = new TextDecoder().decode(bytes);
  return text.length > 400 ? text.slice(0, 400) + '…' : text;
}
async function read(path, index) {
  const joint = path.includes('?') ? '&' : '?';
  const response = await fetch(path + (index ? joint + 'wait=60s&index=' + index : ''), { headers: token ? { 'X-Consul-Token': token } : {} });
  if (!response.ok && response.status !== 404) throw new Error(await response.text());
  return { index: response.headers.get('X-Consul-Index'), body: response.status === 404 ? [] : await response.json() };
}
async function follow(path, take) {
  const own = round;
  let index = '';
  while (own === round) {
    try {
      const found = await read(path, index);
      if (own !== round) return;
      index = found.index;
      await take(found.body);
      byId('state').textContent = 'Live.';
      draw();
    } catch (error) {
      byId('state').textContent = 'Not live: ' + error.message + '.';
      index = '';
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}
async function takeServices(names) {
  const all = await Promise.all(Object.keys(names).map(async (name) => [name, (await read('/v1/catalog/service/' + encodeURIComponent(name))).body]));
  lists.catalog = Object.fromEntries(all);
}
function begin() {
  round++;
  void follow('/v1/catalog/services', takeServices);
  void follow('/v1/health/state/any', (body) => { lists.checks = body; });
  void follow('/v1/kv/?recurse', (body) => { lists.keys = body; });
}
byId('token').addEventListener('change', (event) => { token = event.target.value; begin(); });
begin();
// Without a token lists are only shorter.
fetch('/v1/acl/policies').then(({ status }) => { byId('ask').hidden = status === 401; });
</script>
</body>
</html>
`;
