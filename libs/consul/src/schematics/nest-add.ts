import { posix } from 'node:path';
import type { Rule, SchematicContext, TaskConfigurationGenerator, Tree } from '@angular-devkit/schematics';
import { rootModulePath, withShutdownHooks } from './edit-main.js';
import { withConsulModule } from './edit-module.js';
import { serviceName, withPeers } from './edit-package.js';
import { readText, SchematicError } from './source-edit.js';

/** What `nest add @rookery/consul` takes. */
export interface NestAddOptions {
  /** Where the sources of the app are. Default: `src`; the Nest CLI gives that of the project. */
  readonly sourceRoot?: string;
  /** What the app is registered as. Default: the name of its package, as DNS can find it. */
  readonly name?: string;
  /** Adds a `compose.yaml` with a Consul for development. Default: false. */
  readonly compose?: boolean;
  /** Does not install the packages that are added. Default: false. */
  readonly skipInstall?: boolean;
}

const COMPOSE_FILES = ['compose.yaml', 'compose.yml', 'docker-compose.yaml', 'docker-compose.yml'];
const COMPOSE = `services:
  consul:
    image: hashicorp/consul
    command: agent -dev -client 0.0.0.0
    ports:
      - 127.0.0.1:8500:8500
`;

/** Registers an app with Consul: its root module imports `ConsulModule`, and it shuts down in order. What is there already stays as it is. */
export function nestAdd(options: NestAddOptions = {}): Rule {
  return (tree: Tree, context: SchematicContext) => {
    const { sourceRoot = 'src', compose = false, skipInstall = false } = options;
    const packageText = readText(tree, 'package.json');
    if (packageText === undefined)
      throw new SchematicError('there is no package.json here: run it in the folder of an app of nest new');
    const { text, packageName } = withPeers(packageText);
    const name = options.name ?? serviceName(packageName);
    if (!/^[\w.-]+$/.test(name))
      throw new SchematicError(
        `--name ${JSON.stringify(name)}: use letters, digits and hyphens, as in book-shop`,
      );

    const mainPath = posix.join(sourceRoot, 'main.ts');
    const main = readText(tree, mainPath);
    const modulePath = findRootModule(tree, sourceRoot, main);
    const module = tree.readText(modulePath);
    write(tree, modulePath, module, withConsulModule(module, { path: modulePath, name }));

    const hooked = main === undefined ? undefined : withShutdownHooks(main);
    if (main === undefined || hooked === undefined)
      context.logger.warn(
        `${mainPath}: NestFactory.create was not found. Call app.enableShutdownHooks(), so that the app is deregistered when it is stopped`,
      );
    else write(tree, mainPath, main, hooked);

    if (compose) addCompose(tree, context);
    if (text !== packageText) {
      tree.overwrite('package.json', text);
      if (skipInstall) context.logger.warn('package.json has new dependencies: run npm install');
      else context.addTask(INSTALL);
    }
    context.logger.info(
      `"${name}" is registered with Consul when it starts: http://127.0.0.1:8500, or CONSUL_HTTP_ADDR`,
    );
    return tree;
  };
}

/** As `NodePackageInstallTask` of the schematics, which a package manager that is strict does not let us import. */
const INSTALL: TaskConfigurationGenerator = {
  toConfiguration: () => ({
    name: 'node-package',
    options: { command: 'install', quiet: true, hideOutput: true },
  }),
};

/** The file of the module that `main.ts` makes the app of; else that of `nest new`. */
function findRootModule(tree: Tree, sourceRoot: string, main: string | undefined): string {
  const imported = main === undefined ? undefined : rootModulePath(main);
  const relative = imported?.startsWith('.') ? imported.replace(/\.js$/, '') : './app.module';
  const path = posix.join(sourceRoot, `${relative}.ts`);
  if (tree.exists(path)) return path;
  throw new SchematicError(
    `${path}: there is no such file. Add ConsulModule.forRoot({ service: { name: '...' } }) to the imports of the root module, or give --source-root`,
  );
}

function addCompose(tree: Tree, context: SchematicContext): void {
  const found = COMPOSE_FILES.find((path) => tree.exists(path));
  if (found === undefined) tree.create('compose.yaml', COMPOSE);
  else if (!/\bconsul\b/.test(tree.readText(found)))
    context.logger.warn(`${found} is there already. For a Consul add to it:\n${COMPOSE}`);
}

function write(tree: Tree, path: string, before: string, after: string): void {
  if (after !== before) tree.overwrite(path, after);
}
