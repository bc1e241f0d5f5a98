import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ConsulAgent, eventually, figure, freePorts } from '@rookery/test-support';
import semver from 'semver';
import { RestartedApp } from '../faults/restarted-app.js';
import { libraryApp } from './library-app.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const LIBRARIES = ['discovery', 'consul', 'embedded-consul', 'dashboard', 'etcd'];
const INSTALL = ['install', '--no-audit', '--no-fund', '--prefer-offline', '--silent'];
const WITHIN_MS = 480_000;

/** `module`, `moduleResolution`. */
const NODE10 = ['commonjs', 'node10'] as const;
const NODE16 = ['node16', 'node16'] as const;
const NODENEXT = ['nodenext', 'nodenext'] as const;
const BUNDLER = ['esnext', 'bundler'] as const;

/**
 * As `nest new` writes it, from the schematics of that version. Each way to resolve, builder and command is tried once for a version or for a kind of app: all of
 * them for each app took four minutes more, and showed nothing else.
 */
const APPS = {
  'Nest 11, CommonJS, Jest': {
    version: 11,
    type: 'cjs',
    resolutions: [NODE10, NODE16],
    builders: ['swc', 'webpack'],
  },
  // The project of an ESM app has no loader for webpack.
  'Nest 12, ESM, Vitest': {
    version: 12,
    type: 'esm',
    resolutions: [NODENEXT, BUNDLER],
    builders: ['swc'],
  },
  // With `node16` TypeScript lets no CommonJS import what is ESM only, as Nest 12 is.
  'Nest 12, CommonJS, Jest': { version: 12, type: 'cjs', resolutions: [NODENEXT], builders: ['webpack'] },
} as const;

/** The third one is the kind of the first on the version of the second, which packed.consul.e2e-spec.ts runs too: it is for a release. */
const CHOSEN = Object.entries(APPS).filter(
  ([, { version, type }]) => process.env.ROOKERY_MATRIX === 'all' || !(version === 12 && type === 'cjs'),
);

const PACKAGES = {
  11: ['@nestjs/axios@^4', '@nestjs/config@^4', '@nestjs/terminus@^11', 'axios@^1'],
  12: ['@nestjs/axios@^12', '@nestjs/config@^12', '@nestjs/terminus@^12', 'axios@^1'],
} as const;

/** The first with which Jest can `require` what is ESM only, as Nest 12 is. */
const NODE_FOR_JEST = '>=24.9';

const BUILDERS = ['@swc/cli', '@swc/core', 'esbuild'];
const WEBPACK = [
  'webpack',
  'webpack-node-externals',
  'tsconfig-paths-webpack-plugin',
  'fork-ts-checker-webpack-plugin',
];

/** Optional packages that Nest looks for at runtime, and a bundler cannot find. */
const ABSENT = [
  ...['@nestjs/microservices', '@nestjs/websockets', '@nestjs/platform-socket.io', '@grpc/*'],
  ...['@nestjs/typeorm', '@nestjs/mongoose', '@nestjs/sequelize', '@mikro-orm/*', '@prisma/*'],
  ...['class-transformer', 'class-validator', 'typeorm', 'mongoose', 'sequelize'],
];
const ESM_BUNDLE = [
  '--format=esm',
  '--banner:js=import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);',
];

/** Of all apps: the packages as `npm test` has built them, and a Nest CLI for each version. */
const shared = mkdtempSync(join(tmpdir(), 'rookery-nest-'));
const run = async (
  file: string,
  args: readonly string[],
  { cwd, env = environment() }: { cwd: string; env?: NodeJS.ProcessEnv },
): Promise<string> => {
  const options = { cwd, env, timeout: 240_000, maxBuffer: 2 ** 24 };
  const running = promisify(execFile)(file, args, options);
  const { stdout, stderr } = await running.catch((error: unknown) => {
    const { stdout: out = '', stderr: err = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`${file} ${args.join(' ')}:\n${`${out}\n${err}`.slice(-4_000)}`);
  });
  return stdout + stderr;
};
/** As in a terminal: what Jest sets for this process is not for that of the app. */
function environment(): NodeJS.ProcessEnv {
  const { NODE_ENV: _, JEST_WORKER_ID: __, NODE_OPTIONS: ___, ...rest } = process.env;
  return { ...rest, NO_COLOR: '1', CI: '1' };
}
const tarballs: string[] = [];
beforeAll(async () => {
  const workspaces = LIBRARIES.flatMap((library) => ['-w', `libs/${library}`]);
  const packed = join(shared, 'packed');
  mkdirSync(packed);
  await run('npm', ['pack', ...workspaces, '--pack-destination', packed], { cwd: ROOT });
  tarballs.push(...readdirSync(packed).map((name) => join(packed, name)));
  const sizes = tarballs.map((file) => `${basename(file)} ${Math.round(statSync(file).size / 1024)} kB`);
  figure('F59', `packed: ${sizes.join(', ')}`);
  figure(
    'F59',
    `apps of nest new: ${CHOSEN.map(([name]) => name).join('; ')} (ROOKERY_MATRIX=all: each kind)`,
  );
}, WITHIN_MS);
afterAll(() => rmSync(shared, { recursive: true, force: true }));

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}
const manifestOf = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
const writeManifest = (folder: string, manifest: object): void =>
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest, undefined, 2));

/** The apps of a version of Nest, and one installation of what all of them need: `app-cjs`, `app-esm`, `node_modules`. */
const homeOf = async (version: 11 | 12): Promise<string> => {
  const home = join(shared, `nest-${version}`);
  if (existsSync(home)) return home;
  mkdirSync(home);
  writeManifest(home, { private: true });
  const types = CHOSEN.flatMap(([, of]) => (of.version === version ? [of.type] : []));
  const node =
    needsOtherNode(version) && types.includes('cjs') ? [`node-${process.platform}-${process.arch}@24`] : [];
  await run('npm', [...INSTALL, `@nestjs/cli@${version}`, ...node], { cwd: home });
  for (const type of types) {
    // What `nest new` runs; for the choice between CommonJS and ESM it has no option but a question.
    const name = `app-${type}`;
    const schematic = ['@nestjs/schematics:application', `--name=${name}`, `--directory=${name}`];
    const choice = version === 12 ? [`--type=${type}`] : [];
    const made = [...schematic, '--language=ts', '--package-manager=npm', ...choice];
    await run(join(home, 'node_modules/.bin/schematics'), made, { cwd: home });
  }
  const apps = types.map((type) => join(home, `app-${type}`));
  const needed = apps.map(manifestOf).map((app) => ({ ...app.dependencies, ...app.devDependencies }));
  const cli = manifestOf(home).dependencies;
  writeManifest(home, { private: true, dependencies: Object.assign({}, cli, ...needed) as object });
  // Version 12 has the CLI ask for the packages of webpack. All at once: each installation takes its time.
  const ofBuilders = [...BUILDERS, ...(version === 12 && types.includes('cjs') ? WEBPACK : [])];
  const added = [...tarballs, ...PACKAGES[version]];
  await run('npm', [...INSTALL, ...added, ...ofBuilders], { cwd: home });
  const { dependencies: installed = {} } = manifestOf(home);
  const isAdded = (name: string): boolean =>
    name.startsWith('@rookery/') || PACKAGES[version].some((wanted) => wanted.startsWith(`${name}@`));
  for (const app of apps) {
    const manifest = manifestOf(app);
    const own = Object.entries(installed).filter(([name]) => isAdded(name));
    writeManifest(app, {
      ...manifest,
      dependencies: { ...manifest.dependencies, ...Object.fromEntries(own) },
    });
    symlinkSync(join(home, 'node_modules'), join(app, 'node_modules'));
  }
  return home;
};
const needsOtherNode = (version: number): boolean =>
  version === 12 && !semver.satisfies(process.versions.node, NODE_FOR_JEST);

describe.each(CHOSEN)('F59 an app of nest new: %s, nothing of it changed', (_name, of) => {
  const { version, type, resolutions, builders } = of;
  const isEsm = type === 'esm';
  let app: string;
  /** A copy of it as `nest new` wrote it, with the same packages. */
  let added: string;
  /** Of the Node that its tests run on. */
  let testEnvironment: NodeJS.ProcessEnv;
  let consul: ConsulAgent;

  beforeAll(async () => {
    consul = await ConsulAgent.start();
    const home = await homeOf(version);
    app = join(home, `app-${type}`);
    const bin = join(home, `node_modules/node-${process.platform}-${process.arch}/bin`);
    const { PATH, ...rest } = environment();
    const own = !isEsm && needsOtherNode(version);
    testEnvironment = { ...rest, PATH: own ? `${bin}${delimiter}${PATH}` : PATH };
    added = `${app}-added`;
    cpSync(app, added, { recursive: true, filter: (path) => basename(path) !== 'node_modules' });
    symlinkSync(join(home, 'node_modules'), join(added, 'node_modules'));
    for (const [file, content] of Object.entries(libraryApp(isEsm ? '.js' : '')))
      writeFileSync(join(app, file), content);
  }, WITHIN_MS);
  afterAll(async () => consul.stop());

  /** Starts a build of it, calls it, and stops it. */
  const smoke = async (main: string): Promise<string> => {
    const [port = 0] = await freePorts(1);
    const env = { ...environment(), CONSUL_HTTP_ADDR: consul.url, PORT: String(port) };
    const started = spawn(process.execPath, [main], { cwd: app, env });
    let output = '';
    for (const stream of [started.stdout, started.stderr])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const ended = once(started, 'exit');
    try {
      await eventually(() => output.includes('is registered with'), { within: 30_000 }).catch(() => {
        throw new Error(output.slice(-3_000));
      });
      const get = async (path: string): Promise<unknown> =>
        (await fetch(`http://127.0.0.1:${port}${path}`)).json();
      expect(await get('/catalog')).toEqual({ books: ['Dune'], attempts: 1 });
      for (const title of ['First', 'Second']) {
        await consul.request('PUT', '/v1/kv/config/library/data', `title: ${title}`);
        await eventually(async () => String(await get('/title')) === [title, title, title].join(','));
      }
      expect(await get('/missing')).toEqual({ upstream: 404 });
      const page = await fetch(`http://127.0.0.1:${port}/rookery`);
      expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
      expect(await page.text()).toContain('<title>Rookery</title>');
      started.kill('SIGTERM');
      await ended;
      const { body } = await consul.request('GET', '/v1/health/service/library');
      expect(body).toEqual([]);
    } finally {
      started.kill('SIGKILL');
    }
    return output;
  };

  it(
    'builds, passes its tests with the runner that it has, and runs',
    async () => {
      await run('npm', ['run', 'build'], { cwd: app });
      expect(await run('npm', ['test'], { cwd: app, env: testEnvironment })).toMatch(/2 passed/);
      expect(await run('npm', ['run', 'test:e2e'], { cwd: app, env: testEnvironment })).toMatch(/2 passed/);
      expect(await smoke('dist/main.js')).not.toMatch(/two copies|worker thread .* failed/);
      // There is no etcd: what is tested is that the package is found, and loads.
      expect(await run(process.execPath, ['dist/on-etcd.js'], { cwd: app })).toMatch(
        /RK_REGISTRY_UNREACHABLE/,
      );
    },
    WITHIN_MS,
  );

  // In that of Nest 12 in CommonJS: the packages are those of the one before, and what is written is as in Nest 11.
  const isTried = version === 11 || isEsm;
  if (isTried)
    it(
      'is registered by nest add, which changes nothing the second time, and takes what nest generate makes',
      async () => {
        const nest = async (...args: readonly string[]): Promise<string> =>
          run(process.execPath, ['node_modules/@nestjs/cli/bin/nest.js', ...args], { cwd: added });
        const files = (): readonly string[] =>
          ['package.json', 'compose.yaml', 'src/main.ts', 'src/app.module.ts'].map((name) =>
            readFileSync(join(added, name), 'utf8'),
          );
        await nest('add', '@rookery/consul', '--skip-install', '--compose', '--name=books');
        const first = files();
        expect(first.at(-1)).toContain("ConsulModule.forRoot({ service: { name: 'books' } })");
        await nest('add', '@rookery/consul', '--skip-install', '--compose', '--name=books');
        expect(files()).toEqual(first);
        for (const schematic of ['client', 'health', 'config', 'adapter'])
          await nest('generate', '--collection', '@rookery/consul', schematic, 'stock');
        expect(readdirSync(join(added, 'src/stock')).sort()).toEqual([
          'stock.client.ts',
          'stock.health.ts',
          'stock.registry.ts',
          'stock.settings.ts',
        ]);
        await run('npm', ['run', 'build'], { cwd: added });
        expect(await run('npm', ['test'], { cwd: added, env: testEnvironment })).toMatch(/1 passed/);
        const [port = 0] = await freePorts(1);
        const env = { ...environment(), CONSUL_HTTP_ADDR: consul.url, PORT: String(port) };
        const started = spawn(process.execPath, ['dist/main.js'], { cwd: added, env, stdio: 'ignore' });
        const ended = once(started, 'exit');
        const found = async (): Promise<unknown[]> =>
          (await consul.request('GET', '/v1/health/service/books?passing')).body as unknown[];
        try {
          await eventually(async () => (await found()).length === 1, { within: 30_000 });
          started.kill('SIGTERM');
          await ended;
          expect(await found()).toEqual([]);
        } finally {
          started.kill('SIGKILL');
        }
      },
      WITHIN_MS,
    );

  it.each<readonly [module: string, resolution: string]>([...resolutions])(
    'type-checks with module %s and moduleResolution %s, the declarations of its packages too',
    async (module, moduleResolution) => {
      const tsc = [
        'node_modules/typescript/bin/tsc',
        '--noEmit',
        '-p',
        'tsconfig.build.json',
        '--incremental',
        'false',
      ];
      const older = moduleResolution === 'node10' ? ['--resolvePackageJsonExports', 'false'] : [];
      const how = ['--module', module, '--moduleResolution', moduleResolution, '--skipLibCheck', 'false'];
      expect(await run(process.execPath, [...tsc, ...how, ...older], { cwd: app })).toBe('');
    },
    WITHIN_MS,
  );

  it(
    'runs as built by the other builders of the Nest CLI',
    async () => {
      const dist = join(app, 'dist');
      renameSync(dist, `${dist}-tsc`);
      for (const builder of builders) {
        await run('npx', ['nest', 'build', '--builder', builder], { cwd: app });
        expect(await smoke('dist/main.js')).not.toMatch(/two copies|worker thread .* failed/);
        rmSync(dist, { recursive: true });
      }
      renameSync(`${dist}-tsc`, dist);
    },
    WITHIN_MS,
  );

  it(
    'runs as a bundle of esbuild',
    async () => {
      // Terminus 12 has an import.meta, which a bundle in CommonJS cannot have.
      const [main, format] = version === 12 ? ['bundle/main.mjs', ESM_BUNDLE] : ['bundle/main.cjs', []];
      const options = ['--bundle', '--platform=node', `--outfile=${main}`, ...format];
      const external = ABSENT.map((name) => `--external:${name}`);
      await run('npx', ['esbuild', 'dist/main.js', ...options, ...external], { cwd: app });
      // It has no file for the worker thread: the main thread does its work.
      expect(await smoke(main)).not.toContain('two copies');
    },
    WITHIN_MS,
  );

  // It depends on the version of Nest, and not on the kind of the app.
  if (isTried)
    it(
      'F56 nest start --watch: the next process listens at the old port within seconds while callers go on',
      async () => {
        const [port = 0] = await freePorts(1);
        const cli = join(app, 'node_modules/@nestjs/cli/bin/nest.js');
        const more = { CONSUL_HTTP_ADDR: consul.url, PORT: String(port) };
        const started = new RestartedApp({
          cli,
          folder: app,
          port,
          environment: { ...environment(), ...more },
        });
        try {
          figure(
            'F56',
            `Nest ${version}: answers ${Math.round(await started.saveUnderLoad())} ms after the signal`,
          );
          expect(started.output).not.toContain('EADDRINUSE');
        } finally {
          await started.stop();
        }
      },
      WITHIN_MS,
    );

  it('warns once, and names the importers, when both builds are loaded', async () => {
    writeFileSync(
      join(app, 'required.cjs'),
      "require('reflect-metadata'); require('@rookery/consul').ConsulModule.forRoot();\n",
    );
    writeFileSync(
      join(app, 'both.mjs'),
      "import 'reflect-metadata';\nimport { ConsulModule } from '@rookery/consul';\nimport './required.cjs';\n" +
        'for (let n = 0; n < 3; n++) ConsulModule.forRoot();\n',
    );
    const output = await run(process.execPath, ['both.mjs'], { cwd: app });
    expect(output.match(/two copies of @rookery\/discovery are loaded/g)).toHaveLength(1);
    expect(output).toMatch(/used by [^ ]*required\.cjs/);
    expect(output).toMatch(/used by [^ ]*both\.mjs/);
  });
});
