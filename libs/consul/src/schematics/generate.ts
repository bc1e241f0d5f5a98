import { existsSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Rule, Tree } from '@angular-devkit/schematics';
import { fileOf } from '#here';
import { SchematicError } from './source-edit.js';

/** What `nest g -c @rookery/consul client NAME` and the like take. */
export interface GenerateOptions {
  /** Such as `inventory`, or `shop/inventory` for a folder within a folder. */
  readonly name: string;
  /** Where the sources of the app are. Default: `src`; the Nest CLI gives that of the project. */
  readonly sourceRoot?: string;
  /** A folder below it. Default: none. */
  readonly path?: string;
  /** No folder of its own for the file. Default: false. */
  readonly flat?: boolean;
}

/** What a generated file is called, and what is in it. */
interface Generated {
  readonly suffix: string;
  /** @param service such as `book-shop`; @param type the same as the name of a class, `BookShop` */
  readonly content: (service: string, type: string) => string;
}

/** A declarative client of a service. */
export const client = generator({
  suffix: 'client',
  content: (service, type) => `import { ServiceClient } from '@rookery/consul';
import { call, Get, Param } from '@rookery/consul/client';

/** Calls "${service}". Inject it: it needs no entry in \`providers\`. */
@ServiceClient('${service}')
export class ${type}Client {
  @Get('/:id')
  find(@Param('id') id: string): Promise<unknown> {
    return call(id);
  }
}
`,
});

/** What says whether the app is healthy. */
export const health = generator({
  suffix: 'health',
  content: (service, type) => `import { Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { HealthContributor } from '@rookery/consul';

/** A part of \`/health\`. Add it to the \`providers\` of a module. */
@Injectable()
export class ${type}Health {
  constructor(private readonly indicators: HealthIndicatorService) {}

  @HealthContributor({ name: '${service}' })
  async check(): Promise<HealthIndicatorResult> {
    // Try it here, such as with a query: what throws is down.
    return this.indicators.check('${service}').up();
  }
}
`,
});

/** Live configuration of an app. */
export const config = generator({
  suffix: 'settings',
  content: (service) => `import { consulConfig } from '@rookery/consul/config';

/** The keys of Consul below \`config/${service}\`, live: \`ConfigModule.forRoot({ isGlobal: true, load: [settings] })\` of \`@nestjs/config\`. */
export const settings = consulConfig({
  name: '${service}',
  // Of zod, Valibot or ArkType: a value that is not as it says is not used, and the last good one stays.
  // schema: z.object({ limits: z.object({ rate: z.number().positive() }) }),
});
`,
});

/** A registry of one's own: a complete one, in a folder, to be changed into another. */
export const adapter = generator({
  suffix: 'registry',
  content: (service, type) => {
    if (type === 'Service')
      throw new SchematicError(
        `name: "${service}" would be called as what it extends. Use the name of the registry`,
      );
    return readTemplate('adapter.ts.txt').replaceAll('FileRegistry', `${type}Registry`);
  },
});

/** Of the folder of the package that has them, which is one further up for the build in CommonJS. */
function readTemplate(name: string): string {
  const paths = ['..', '../..'].map((up) => fileOf(`${up}/schematics/${name}`));
  const [path = name] = paths
    .map((each) => (each.startsWith('file:') ? fileURLToPath(each) : each))
    .filter((each) => existsSync(each));
  return readFileSync(path, 'utf8');
}

function generator({ suffix, content }: Generated): (options: GenerateOptions) => Rule {
  return ({ name, sourceRoot = 'src', path = '', flat = false }) =>
    (tree: Tree) => {
      const service = kebab(posix.basename(name));
      if (service === '')
        throw new SchematicError(
          `name: ${JSON.stringify(name)} has no letter or digit. Use the name of a service`,
        );
      const folder = posix.join(sourceRoot, path, posix.dirname(name), flat ? '.' : service);
      const file = posix.join(folder, `${service}.${suffix}.ts`);
      if (tree.exists(file))
        throw new SchematicError(`${file} is there already. Use another name, or delete it`);
      tree.create(file, content(service, pascal(service)));
      return tree;
    };
}

/** As names of services are written. */
function kebab(name: string): string {
  return name
    .replaceAll(/([a-z\d])([A-Z])/g, '$1-$2')
    .toLowerCase()
    .replaceAll(/[^a-z\d]+/g, '-')
    .replaceAll(/^-+|-+$/g, '');
}

/** As classes are: one that begins with a digit could not be written. */
function pascal(service: string): string {
  const type = service
    .split('-')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
  return /^\d/.test(type) ? `Service${type}` : type;
}
