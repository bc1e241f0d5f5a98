import type { SchematicContext, Tree } from '@angular-devkit/schematics';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { thrownBy } from '@rookery/test-support';
import { nestAdd, type NestAddOptions } from './nest-add.js';

/** As `nest new` writes them. */
const MODULE = `import { Module } from '@nestjs/common';
import { AppController } from './app.controller';
import { AppService } from './app.service';

@Module({
  imports: [],
  controllers: [AppController],
  providers: [AppService],
})
export class AppModule {}
`;
const MAIN = `import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module';

async function bootstrap() {
  const app = await NestFactory.create(AppModule);
  await app.listen(process.env.PORT ?? 3000);
}
bootstrap();
`;
const PACKAGE = {
  name: '@acme/Book Shop',
  dependencies: { '@nestjs/core': '^12.0.1', rxjs: '^7.8.1' },
  devDependencies: { axios: '^1.2.3' },
};

describe('nest add', () => {
  let files: Map<string, string>;
  let told: string[];
  let tasks: unknown[];
  const context = {
    logger: {
      info: (text: string) => told.push(text),
      warn: (text: string) => told.push(`warning: ${text}`),
    },
    addTask: (task: { toConfiguration(): unknown }) => tasks.push(task.toConfiguration()),
  } as unknown as SchematicContext;
  // What schematics have cannot be loaded by Jest on Node 20; it is in the tests of apps of nest new.
  const tree = {
    exists: (path: string) => files.has(path),
    readText: (path: string) => read(path),
    create: (path: string, text: string) => void files.set(path, text),
    overwrite: (path: string, text: string) => void files.set(path, text),
  } as unknown as Tree;
  const read = (path: string): string => {
    const text = files.get(path);
    if (text === undefined) throw new Error(`there is no ${path}`);
    return text;
  };
  const add = async (options?: NestAddOptions): Promise<void> => {
    await nestAdd(options)(tree, context);
  };

  beforeEach(() => {
    files = new Map();
    told = [];
    tasks = [];
    files.set('package.json', JSON.stringify(PACKAGE));
    files.set('src/main.ts', MAIN);
    files.set('src/app.module.ts', MODULE);
  });

  it('registers an app of nest new under the name of its package, and lets it shut down in order', async () => {
    await add();
    expect(read('src/app.module.ts')).toBe(
      MODULE.replace(
        "'./app.service';\n",
        "'./app.service';\nimport { ConsulModule } from '@rookery/consul';\n",
      ).replace('imports: [],', "imports: [ConsulModule.forRoot({ service: { name: 'book-shop' } })],"),
    );
    expect(read('src/main.ts')).toBe(
      MAIN.replace('create(AppModule);\n', 'create(AppModule);\n  app.enableShutdownHooks();\n'),
    );
    expect(told).toEqual([
      '"book-shop" is registered with Consul when it starts: http://127.0.0.1:8500, or CONSUL_HTTP_ADDR',
    ]);
    expect(files.has('compose.yaml')).toBe(false);
  });

  it('changes nothing the second time', async () => {
    await add({ compose: true });
    const first = new Map(files);
    tasks.length = 0;
    await add({ compose: true });
    expect(files).toEqual(first);
    expect(tasks).toEqual([]);
    expect(told.filter((line) => line.startsWith('warning'))).toEqual([]);
  });

  it('adds the packages that are missing, for the Nest of the app, and installs them', async () => {
    await add();
    expect(JSON.parse(read('package.json'))).toEqual({
      ...PACKAGE,
      dependencies: {
        '@nestjs/axios': '^12.0.0',
        '@nestjs/core': '^12.0.1',
        '@nestjs/terminus': '^12.0.0',
        rxjs: '^7.8.1',
      },
    });
    expect(tasks).toEqual([
      { name: 'node-package', options: { command: 'install', quiet: true, hideOutput: true } },
    ]);
  });

  it('adds those of Nest 11, and installs nothing if it is told so', async () => {
    files.set('package.json', JSON.stringify({ devDependencies: { '@nestjs/core': '~11.1.0' } }));
    await add({ skipInstall: true });
    expect(JSON.parse(read('package.json'))).toMatchObject({
      dependencies: { '@nestjs/axios': '^4.0.0', '@nestjs/terminus': '^11.0.0', axios: '^1.0.0' },
    });
    expect(tasks).toEqual([]);
    expect(told).toContain('warning: package.json has new dependencies: run npm install');
    expect(read('src/app.module.ts')).toContain("name: 'app'");
  });

  it('takes another name, and sources elsewhere', async () => {
    files.delete('src/main.ts');
    files.delete('src/app.module.ts');
    files.set('apps/shop/src/shop/shop.module.ts', MODULE);
    files.set('apps/shop/src/main.ts', MAIN.replace('./app.module', './shop/shop.module.js'));
    await add({ name: 'shop', sourceRoot: 'apps/shop/src' });
    expect(read('apps/shop/src/shop/shop.module.ts')).toContain("name: 'shop'");
  });

  it('refuses a name that would not be one text of the source', async () => {
    await expect(add({ name: "o'brien" })).rejects.toThrow(
      '--name "o\'brien": use letters, digits and hyphens',
    );
    expect(read('src/app.module.ts')).toBe(MODULE);
  });

  it('keeps the other imports of a module', async () => {
    files.set('src/app.module.ts', MODULE.replace('imports: []', 'imports: [OtherModule]'));
    await add();
    expect(read('src/app.module.ts')).toContain('imports: [OtherModule, ConsulModule.forRoot(');
  });

  it('adds a Consul for development to an app without a compose file, and says what to add to one with it', async () => {
    await add({ compose: true });
    expect(read('compose.yaml')).toContain('127.0.0.1:8500:8500');
    files.delete('compose.yaml');
    files.set('docker-compose.yml', 'services: {}\n');
    await add({ compose: true });
    expect(read('docker-compose.yml')).toBe('services: {}\n');
    expect(told.at(-2)).toMatch(/^warning: docker-compose\.yml is there already.*command: agent -dev/s);
  });

  it.each([
    ['is missing', undefined],
    ['makes its app elsewhere', "import { start } from './start';\nstart();\n"],
  ])('registers an app whose main.ts %s, and says what is left to do', async (_, main) => {
    if (main === undefined) files.delete('src/main.ts');
    else files.set('src/main.ts', main);
    await add();
    expect(read('src/app.module.ts')).toContain('ConsulModule');
    expect(told[0]).toBe(
      'warning: src/main.ts: NestFactory.create was not found. Call app.enableShutdownHooks(), so that the app is deregistered when it is stopped',
    );
  });

  it.each<[string, () => unknown, string]>([
    [
      'no package.json',
      () => files.delete('package.json'),
      'there is no package.json here: run it in the folder of an app of nest new',
    ],
    ['a package.json that is none', () => files.set('package.json', '{'), 'package.json: '],
    [
      'no Nest',
      () => files.set('package.json', '{}'),
      'package.json: @nestjs/core is missing; Rookery needs Nest 11 or 12',
    ],
    [
      'an old Nest',
      () => files.set('package.json', '{"dependencies":{"@nestjs/core":"^10.0.0"}}'),
      'package.json: @nestjs/core is "^10.0.0"; Rookery needs Nest 11 or 12',
    ],
    [
      'no root module',
      () => files.delete('src/app.module.ts'),
      'src/app.module.ts: there is no such file. Add ConsulModule.forRoot(',
    ],
    [
      'a root module without @Module',
      () => files.set('src/app.module.ts', 'export class AppModule {}\n'),
      'src/app.module.ts: there is no @Module({ ... }) with a list of imports. Add ConsulModule.forRoot(',
    ],
    [
      'a root module whose imports are no list',
      () => files.set('src/app.module.ts', MODULE.replace('imports: []', 'imports: IMPORTS')),
      'src/app.module.ts: there is no @Module({ ... }) with a list of imports. Add ConsulModule.forRoot(',
    ],
  ])('changes nothing where there is %s, and says why', async (_, change, message) => {
    change();
    const before = new Map(files);
    expect((await thrownBy(add())).message).toContain(message);
    expect(files).toEqual(before);
  });
});
