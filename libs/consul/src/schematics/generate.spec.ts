import type { SchematicContext, Tree } from '@angular-devkit/schematics';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { thrownBy } from '@rookery/test-support';
import { adapter, client, config, health, type GenerateOptions } from './generate.js';

describe('nest generate', () => {
  let files: Map<string, string>;
  const tree = {
    exists: (path: string) => files.has(path),
    create: (path: string, text: string) => void files.set(path, text),
  } as unknown as Tree;
  const run = async (schematic: typeof client, options: GenerateOptions): Promise<void> => {
    await schematic(options)(tree, {} as SchematicContext);
  };

  beforeEach(() => {
    files = new Map();
  });

  it.each([
    [
      'client',
      client,
      'src/book-shop/book-shop.client.ts',
      ["@ServiceClient('book-shop')", 'class BookShopClient'],
    ],
    ['health', health, 'src/book-shop/book-shop.health.ts', ['class BookShopHealth', "check('book-shop')"]],
    ['config', config, 'src/book-shop/book-shop.settings.ts', ['consulConfig({', "  name: 'book-shop',"]],
    ['adapter', adapter, 'src/book-shop/book-shop.registry.ts', ['class BookShopRegistry extends']],
  ] as const)('makes a file of its own: %s', async (_, schematic, path, parts) => {
    await run(schematic, { name: 'bookShop' });
    expect([...files.keys()]).toEqual([path]);
    for (const part of parts) expect(files.get(path)).toContain(part);
  });

  it.each<[GenerateOptions, string]>([
    [
      { name: 'shop/Book Shop', sourceRoot: 'apps/web/src' },
      'apps/web/src/shop/book-shop/book-shop.client.ts',
    ],
    [{ name: 'books', path: 'clients' }, 'src/clients/books/books.client.ts'],
    [{ name: 'books', flat: true }, 'src/books.client.ts'],
  ])('makes it where it is asked for: %j', async (options, path) => {
    await run(client, options);
    expect([...files.keys()]).toEqual([path]);
  });

  it('writes a class for a service whose name begins with a digit', async () => {
    await run(client, { name: '3d-models' });
    expect(files.get('src/3d-models/3d-models.client.ts')).toContain('class Service3dModelsClient');
  });

  it('refuses the name of what an adapter extends', async () => {
    expect((await thrownBy(run(adapter, { name: 'service' }))).message).toMatch(
      /^name: "service" would be called as/,
    );
  });

  it('keeps what is there, and says so', async () => {
    await run(client, { name: 'books' });
    files.set('src/books/books.client.ts', 'mine');
    expect((await thrownBy(run(client, { name: 'books' }))).message).toBe(
      'src/books/books.client.ts is there already. Use another name, or delete it',
    );
    expect(files.get('src/books/books.client.ts')).toBe('mine');
  });

  it('refuses a name of nothing', async () => {
    expect((await thrownBy(run(client, { name: '--' }))).message).toBe(
      'name: "--" has no letter or digit. Use the name of a service',
    );
  });
});
