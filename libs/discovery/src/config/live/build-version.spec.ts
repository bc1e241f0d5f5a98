import { describe, expect, it } from '@jest/globals';
import type { StoredKey } from '../config-store.js';
import { loadReaders } from '../layers/documents.js';
import { SecretPaths } from '../secret-paths.js';
import { loadValidator, type ConfigSchema } from '../values/validate-values.js';
import { ConfigBuilder } from './build-version.js';

const schemaOf = (validate: (value: unknown) => unknown): ConfigSchema => ({
  '~standard': { version: 1, vendor: 'test', validate: validate as never },
});
const entry = (key: string, value: string): StoredKey => ({
  key: `config/shop/${key}`,
  value: Buffer.from(value),
});
const builderWith = async (schema?: ConfigSchema): Promise<ConfigBuilder> =>
  new ConfigBuilder({
    format: 'keys',
    dataKey: 'data',
    values: 'typed',
    readers: await loadReaders('keys'),
    secrets: new SecretPaths(),
    defaults: { a: 0 },
    environment: {},
    validate: await loadValidator(schema),
  });
const layer = (keys: Record<string, string>, path = 'config/shop/') => ({
  path,
  entries: Object.entries(keys).map(([key, value]) => entry(key, value)),
});

describe('ConfigBuilder', () => {
  it('uses a layer that cannot be read as it was when it last could, and the others as they are', async () => {
    const builder = await builderWith();
    await builder.build([layer({ a: '1', b: '1' })]);
    const { built, problems } = await builder.build([layer({ a: '2', __proto__x: '1', 'b/__proto__': '1' })]);
    expect(built?.values).toEqual({ a: 1, b: 1 });
    expect(problems).toMatchObject([{ key: 'config/shop/b/__proto__' }]);
  });

  it('has nothing to use while a layer could never be read', async () => {
    const { built, problems } = await (await builderWith()).build([layer({ 'a/__proto__': '1' })]);
    expect(built).toBeUndefined();
    expect(problems).toHaveLength(1);
  });

  it.each<[string, (value: unknown) => unknown, RegExp]>([
    [
      'throws',
      () => {
        throw new RangeError('hunter2');
      },
      /^the configuration: the schema threw a RangeError$/,
    ],
    ['rejects', () => Promise.reject(new Error('hunter2')), /the schema threw a Error$/],
    ['returns no object', () => ({ value: 5 }), /^it returned no object$/],
    ['returns a list', () => ({ value: [] }), /^it returned no object$/],
    [
      'returns what contains itself',
      () => {
        const value: Record<string, unknown> = {};
        value.own = { value };
        return { value };
      },
      /^it returned an object that contains itself$/,
    ],
  ])('a schema that %s is a problem', async (_, validate, reason) => {
    const { built, problems } = await (await builderWith(schemaOf(validate))).build([layer({ a: '1' })]);
    expect(built).toBeUndefined();
    expect(problems).toMatchObject([{ reason: expect.stringMatching(reason) as unknown }]);
  });

  it.each(['onModuleInit', 'onApplicationShutdown', '_PROCESS_ENV_VALIDATED/x'])(
    'refuses the reserved name %s',
    async (key) => {
      const { built, problems } = await (await builderWith()).build([layer({ [key]: '1' })]);
      expect(built).toBeUndefined();
      expect(problems).toMatchObject([
        { key: `config/shop/${key}`, reason: expect.stringMatching(/is reserved/) as unknown },
      ]);
    },
  );
});
