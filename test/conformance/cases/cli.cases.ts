import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findConsul } from '@rookery/test-support';
import type { ConformanceCase } from '../conformance-case.js';
import { RESET_INDEX, type ConsulApi } from '../consul-api.js';
import { untilCoordinates } from './agent.cases.js';

/** What the `consul` command prints, and its exit code, without what is each agent's own. */
interface Printed {
  readonly code: unknown;
  readonly output: string;
}

const LONGEST_MS = 15_000;
const OWN: readonly (readonly [RegExp, string])[] = [
  [/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<uuid>'],
  [/\d{4}-\d\d-\d\d[ T][\d:.]+ ?(?:Z|\+0000 UTC)/g, '<time>'],
  [/(127\.0\.0\.1:|port=|"Port": )\d{4,5}/g, '$1<port>'],
  [/((?:Create|Modify)Index"?:? +|Hash"?:? +)"?[\w+/=]+"?/g, '$1<own>'],
  [/(_index|goroutines|event_queue|event_time|cpu_count|max_procs|arch|os) = \S+/g, '$1 = <own>'],
  [/version = (go|v)\S+/g, 'version = <own>'],
  // Tables are as wide as what they hold.
  [/ {2,}/g, '  '],
  [RESET_INDEX, 'reset index: <index>'],
];

function consul(api: ConsulApi, args: readonly string[]): Promise<Printed> {
  const environment = { CONSUL_HTTP_ADDR: api.url, ...(api.token ? { CONSUL_HTTP_TOKEN: api.token } : {}) };
  return new Promise((resolve) => {
    const child = execFile(
      findConsul() ?? 'consul',
      args,
      { env: { PATH: process.env.PATH, HOME: process.env.HOME, ...environment }, timeout: LONGEST_MS },
      (error, stdout, stderr) => {
        let output = stdout + stderr;
        for (const [pattern, with_] of OWN) output = output.replace(pattern, with_);
        resolve({ code: error === null ? 0 : (error.code ?? error.signal), output });
      },
    );
    child.stdin?.end();
  });
}

/** Parts of a command line; quotes hold spaces together. */
const words = (line: string): string[] =>
  (line.match(/(?:[^\s']|'[^']*')+/g) ?? []).map((word) => word.replaceAll("'", ''));

/** One case for each command, after those before it in its line. */
const commands = (lines: readonly string[]): ConformanceCase[] =>
  lines.flatMap((line) =>
    line.split(' | ').map((command, index, all): ConformanceCase => ({
      area: 'cli',
      name: `consul ${all.slice(0, index + 1).join(', then ')}`,
      observe: async (api) => {
        for (const before of all.slice(0, index)) await consul(api, words(before));
        return consul(api, words(command));
      },
    })),
  );

const OPEN = commands([
  'members',
  'members -detailed',
  'members -wan',
  'members -status=failed',
  'info',
  'catalog datacenters',
  'catalog nodes',
  'catalog nodes -detailed',
  'catalog nodes -node-meta=a=b',
  'catalog services -tags',
  'services register -name=web -port=80 -tag=a -meta=k=v | catalog services -tags | catalog nodes -service=web | watch -type=service -service=web | services deregister -id=web | catalog services',
  'services deregister -id=none',
  'kv put a b | kv get a | kv get -detailed a | kv put -cas -modify-index=1 a c | kv put -flags=7 a d | kv get -detailed a | kv get -recurse | kv get -keys | kv export | kv delete -cas -modify-index=1 a | kv delete a | kv get a',
  'kv delete -recurse',
  'kv import {',
  'event -name=deploy -node=none x',
  'watch -type=event -name=deploy',
  'maint -enable -reason=x | maint | watch -type=checks -state=critical | maint -disable | maint',
  'maint -enable -service=none',
  'reload',
  'force-leave none',
  'operator raft list-peers',
  'operator autopilot get-config | operator autopilot set-config -cleanup-dead-servers=false -last-contact-threshold=1s | operator autopilot get-config | operator autopilot set-config -cleanup-dead-servers=true -last-contact-threshold=200ms',
  'exec -wait=1s uptime',
  'watch -type=services',
  'watch -type=nodes',
  'watch -type=service -service=consul',
  'watch -type=checks',
  'watch -type=key -key=a',
  'watch -type=keyprefix -prefix=a',
  'lock -child-exit-code x true',
  'lock -n=2 x false',
  'acl policy list',
  'acl token list',
  'acl bootstrap',
  'login -method=x -bearer-token-file=/dev/null',
  'logout',
  'version',
]);

const debugCase: ConformanceCase = {
  area: 'cli',
  name: 'consul debug',
  observe: async (api) => {
    const home = mkdtempSync(join(tmpdir(), 'rookery-debug-'));
    try {
      const targets = ['agent', 'cluster', 'metrics'].map((target) => `-capture=${target}`);
      const output = `-output=${join(home, 'out')}`;
      const { code } = await consul(api, ['debug', '-duration=10s', '-interval=5s', ...targets, output]);
      return code;
    } finally {
      rmSync(home, { recursive: true });
    }
  },
};

const rttCase: ConformanceCase = {
  area: 'cli',
  name: 'consul rtt conformance',
  observe: async (api) => {
    await untilCoordinates(api);
    return consul(api, ['rtt', 'conformance']);
  },
};

export const cliCases: readonly ConformanceCase[] = [...OPEN, rttCase, debugCase];

/** On agents with ACLs, as their manager. */
export const cliAclCases: readonly ConformanceCase[] = commands([
  `acl policy create -name=p1 -description=d -rules='key "a" { policy = "read" }' | acl policy read -name=p1 | acl policy read -name=p1 -format=json | acl policy update -name=p1 -description=x | acl policy list | acl token create -description=t1 -policy-name=p1 | acl policy delete -name=p1 | acl policy list`,
  `acl policy create -name=p2 -rules='key "a" {'`,
  'acl policy read -name=none',
  'acl token create -service-identity=web',
  'acl token create -service-identity=web:dc1,dc2 -format=json',
  'acl token create -policy-name=none',
  'acl token create -accessor=bbbbbbbb-0000-4000-8000-000000000001 -secret=cccccccc-0000-4000-8000-000000000001 -description=a | acl token read -id=bbbbbbbb | acl token update -id=bbbbbbbb-0000-4000-8000-000000000001 -description=b | acl token clone -id=bbbbbbbb-0000-4000-8000-000000000001 | acl token delete -id=bbbbbbbb-0000-4000-8000-000000000001 | acl token read -id=bbbbbbbb-0000-4000-8000-000000000001',
  'acl token read -self',
  'acl token delete -id=00000000-0000-0000-0000-000000000002',
  'acl set-agent-token default x',
  'acl set-agent-token none x',
  'acl bootstrap',
  'members',
  'catalog services',
  'kv put a b | kv get a',
]);
