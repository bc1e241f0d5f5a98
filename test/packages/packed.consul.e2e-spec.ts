import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ConsulAgent, eventually, figure, freePorts, wholeAppOf } from '@rookery/test-support';
import ts from 'typescript';
import { grpcApp } from './grpc-app.js';
import { nodeVersions, type NodeVersion } from './node-versions.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const INSTALL_WITHIN_MS = 300_000;
const run = promisify(execFile);

/** With the newest @grpc/grpc-js, and with the oldest that works. */
const NEST_12 = { nest: '^12.0.0', axios: '^12.0.0', grpc: '^1.14.7' } as const;
const NEST_11 = { nest: '^11.0.0', axios: '^4.0.0', grpc: '1.13.4' } as const;
const NESTS = {
  'Nest 12, ESM': { ...NEST_12, type: 'module' },
  'Nest 12, CommonJS': { ...NEST_12, type: 'commonjs' },
  'Nest 11, ESM': { ...NEST_11, type: 'module' },
  'Nest 11, CommonJS': { ...NEST_11, type: 'commonjs' },
} as const;

/** Those that an app of these tests has. */
const LIBRARIES = ['discovery', 'consul', 'etcd', 'microservices'] as const;

const { version: VERSION } = JSON.parse(readFileSync(join(ROOT, 'libs/consul/package.json'), 'utf8')) as {
  version: string;
};

/** The most kilobytes that each of all packages may have, packed: what is beyond that is to be meant. */
const MOST_KB = {
  discovery: 700,
  consul: 220,
  dashboard: 170,
  'embedded-consul': 140,
  etcd: 75,
  microservices: 65,
} as const;
/** As the proto file of the tests. */
const PROTO = join(ROOT, 'test/microservices/library.proto');

/** Without the optional package that its live configuration needs, and without an etcd. */
const LOAD_ETCD = {
  module: "import { EtcdModule } from '@rookery/etcd'; console.log(typeof EtcdModule.forRoot());",
  commonjs: "const { EtcdModule } = require('@rookery/etcd'); console.log(typeof EtcdModule.forRoot());",
} as const;

/** The contract suite as CommonJS, in which Jest does not run it. */
function writeContract(folder: string): string {
  const from = join(ROOT, 'test/contract');
  const into = join(folder, 'contract');
  mkdirSync(into);
  const compilerOptions = {
    module: ts.ModuleKind.CommonJS,
    target: ts.ScriptTarget.ES2023,
    experimentalDecorators: true,
    esModuleInterop: true,
  };
  for (const file of readdirSync(from).filter((name) => name.endsWith('.ts') && !name.includes('spec'))) {
    const { outputText } = ts.transpileModule(readFileSync(join(from, file), 'utf8'), { compilerOptions });
    writeFileSync(join(into, file.replace(/\.ts$/, '.js')), outputText);
  }
  return join(into, 'report.js');
}

/** One that calls itself over gRPC and TCP. */
async function expectGrpcToWork(node: string, folder: string, consul: ConsulAgent): Promise<void> {
  const env = { ...process.env, CONSUL_HTTP_ADDR: consul.url };
  const PORTS = (await freePorts(2)).join(',');
  const called = await run(node, ['dist/grpc.js'], { cwd: folder, env: { ...env, PORTS } });
  expect(called.stdout).toBe('typed true, stock true, tcp true\n');
}

/** That of the README, from its start until it is gone from Consul. */
async function expectToWork(node: string, folder: string, main: string, consul: ConsulAgent): Promise<void> {
  const env = { ...process.env, CONSUL_HTTP_ADDR: consul.url, NO_COLOR: '1', PORT: '0' };
  const app = spawn(node, [main], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], env });
  let output = '';
  for (const stream of [app.stdout, app.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = once(app, 'exit');
  try {
    const listening = (): string | undefined => /listening at .*:(\d+)/.exec(output)?.[1];
    // Four versions of Node start beside all other suites.
    const port = await eventually(listening, { within: 60_000 }).catch(() => {
      throw new Error(output);
    });
    const answer = await eventually(async () => {
      const response = await fetch(`http://127.0.0.1:${port}/hello`);
      return response.ok ? await response.json() : undefined;
    });
    expect(answer).toEqual({ message: 'Hello, Ada' });
    app.kill('SIGTERM');
    expect(await ended).toEqual([null, 'SIGTERM']);
    const { body } = await consul.request('GET', '/v1/health/service/greeting');
    expect(body).toEqual([]);
  } finally {
    app.kill('SIGKILL');
  }
}

/** Packs all of them. */
async function pack(into: string): Promise<void> {
  const workspaces = Object.keys(MOST_KB).flatMap((library) => ['-w', `libs/${library}`]);
  mkdirSync(into);
  await run('npm', ['pack', ...workspaces, '--pack-destination', into], { cwd: ROOT });
}

const bin = (name: string): string => join(ROOT, 'node_modules/.bin', name);

describe("the packed packages, in the README's app, outside of the monorepo", () => {
  let home: string;
  let consul: ConsulAgent;
  let packed: string;
  let nodes: readonly NodeVersion[];
  /** The packages of a version of Nest, once they are installed. */
  const installedFor = new Map<string, string>();

  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'rookery-packed-'));
    consul = await ConsulAgent.start();
    packed = join(home, 'packed');
    await pack(packed);
    nodes = await nodeVersions(home);
  }, INSTALL_WITHIN_MS);
  afterAll(async () => {
    await consul.stop();
    rmSync(home, { recursive: true, force: true });
  });

  const tarballOf = (library: string): string => join(packed, `rookery-${library}-${VERSION}.tgz`);

  it('contain what they need and no tests', async () => {
    for (const tarball of LIBRARIES.map(tarballOf)) {
      const { stdout } = await run('tar', ['-tzf', tarball]);
      const files = stdout.trim().split('\n');
      expect(files).toEqual(
        expect.arrayContaining([
          ...(tarball.includes('microservices') ? ['grpc', 'tcp'] : ['index']).flatMap((entry) => [
            `package/dist/${entry}.js`,
            `package/dist/${entry}.d.ts`,
            `package/dist/cjs/${entry}.js`,
            `package/dist/cjs/${entry}.d.ts`,
          ]),
        ]),
      );
      expect(
        files.filter((file) => /\.spec\.|\.map$|^package\/src\/|tsbuildinfo|node_modules/.test(file)),
      ).toEqual([]);
    }
  });

  it.each(Object.entries(MOST_KB))(
    'are right for ESM, CommonJS and bundlers, and not large: %s',
    async (library, most) => {
      await run(bin('publint'), ['--strict', join(ROOT, 'libs', library)], { cwd: ROOT });
      const kilobytes = Math.round(statSync(tarballOf(library)).size / 1024);
      figure('F59', `@rookery/${library}: ${kilobytes} kB packed, of ${most} kB`);
      expect(kilobytes).toBeLessThanOrEqual(most);
      await run(bin('attw'), [tarballOf(library)], { cwd: ROOT });
    },
    120_000,
  );

  it('say what is installed with them, and are the same bytes each time', async () => {
    const again = join(home, 'again');
    await pack(again);
    for (const tarball of Object.keys(MOST_KB).map(tarballOf)) {
      expect(readFileSync(join(again, basename(tarball))).equals(readFileSync(tarball))).toBe(true);
      const content = async (name: string): Promise<string> =>
        (await run('tar', ['-xzOf', tarball, `package/${name}`])).stdout;
      const bom = await content('sbom.cdx.json');
      const manifest = await content('package.json');
      const { components } = JSON.parse(bom) as { components: { name: string; hashes?: unknown }[] };
      const { dependencies = {} } = JSON.parse(manifest) as { dependencies?: Record<string, string> };
      expect(components.map(({ name }) => name)).toEqual(expect.arrayContaining(Object.keys(dependencies)));
      const foreign = components.filter(({ name }) => !name.startsWith('@rookery/'));
      expect(foreign.every(({ hashes }) => hashes !== undefined)).toBe(true);
    }
  }, 60_000);

  it.each(Object.entries(NESTS))(
    'F59 work with %s, where a client is as plain axios is',
    async (name, { nest, axios, grpc, type }) => {
      const folder = join(home, name.replaceAll(/\W+/g, '-'));
      mkdirSync(folder);
      writeFileSync(join(folder, 'app.ts'), wholeAppOf('README.md'));
      writeFileSync(join(folder, 'grpc.ts'), grpcApp(PROTO));
      writeFileSync(
        join(folder, 'package.json'),
        JSON.stringify({
          private: true,
          type,
          dependencies: {
            '@nestjs/common': nest,
            '@nestjs/core': nest,
            '@nestjs/microservices': nest,
            '@nestjs/platform-express': nest,
            '@nestjs/terminus': nest,
            '@nestjs/axios': axios,
            '@grpc/grpc-js': grpc,
            '@grpc/proto-loader': '^0.8.1',
            axios: '^1.21.1',
            'reflect-metadata': '^0.2.2',
            rxjs: '^7.8.2',
            ...Object.fromEntries(
              LIBRARIES.map((library) => [`@rookery/${library}`, `file:${tarballOf(library)}`]),
            ),
          },
        }),
      );
      writeFileSync(
        join(folder, 'tsconfig.json'),
        JSON.stringify({
          compilerOptions: {
            module: 'NodeNext',
            target: 'ES2022',
            strict: true,
            experimentalDecorators: true,
            emitDecoratorMetadata: true,
            types: ['node'],
            typeRoots: [join(ROOT, 'node_modules/@types')],
            outDir: 'dist',
          },
          files: ['app.ts', 'grpc.ts'],
        }),
      );
      // What is installed differs with the version of Nest, not with the kind of the app.
      const installed = installedFor.get(nest);
      if (installed) symlinkSync(installed, join(folder, 'node_modules'));
      else await run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline'], { cwd: folder });
      installedFor.set(nest, installed ?? join(folder, 'node_modules'));
      await run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', '.'], {
        cwd: folder,
      }).catch((error: unknown) => {
        throw new Error((error as { stdout: string }).stdout);
      });
      // Without the optional packages that live configuration needs.
      const help = await run('npx', ['rookery', '--help'], { cwd: folder });
      expect(help.stdout).toMatch(/^usage: rookery COMMAND/);
      const evaluated = ['--input-type', type, '--eval', LOAD_ETCD[type]];
      expect((await run(process.execPath, evaluated, { cwd: folder })).stdout).toBe('object\n');

      // What a version of Node makes of ESM is the same for each; CommonJS has to require what is ESM only.
      const tried = nodes.filter((_, n) => type === 'commonjs' || n === 0 || n === nodes.length - 1);
      for (const { path, version } of tried) {
        await expectGrpcToWork(path, folder, consul);
        await expectToWork(path, folder, 'dist/app.js', consul);
        figure(
          'F59',
          `${name} on Node ${version}: registered, called by name over HTTP, gRPC and TCP, stopped`,
        );
      }
      if (type !== 'commonjs') return;
      const { stdout } = await run(process.execPath, [writeContract(folder)], { cwd: folder });
      const { compared, differing } = JSON.parse(stdout) as { compared: number; differing: object[] };
      expect(differing).toEqual([]);
      expect(compared).toBeGreaterThan(900);
      figure('F59', `${compared} requests compared with plain axios in ${name}: none differs`);
    },
    INSTALL_WITHIN_MS,
  );

  it(
    'are what the sample of Nest 11 needs, which is a project of its own',
    async () => {
      const folder = join(home, 'sample');
      cpSync(join(ROOT, 'apps/samples/nest-11-commonjs'), folder, { recursive: true });
      const file = join(folder, 'package.json');
      const manifest = JSON.parse(readFileSync(file, 'utf8')) as { dependencies: Record<string, string> };
      for (const library of ['discovery', 'consul'])
        manifest.dependencies[`@rookery/${library}`] = `file:${tarballOf(library)}`;
      writeFileSync(file, JSON.stringify(manifest));
      await run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline'], { cwd: folder });
      await run('npm', ['run', 'build'], { cwd: folder });
      await expect(expectToWork(process.execPath, folder, 'dist/main.js', consul)).resolves.toBeUndefined();
    },
    INSTALL_WITHIN_MS,
  );
});
