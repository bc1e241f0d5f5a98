import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeTerminal } from '@rookery/test-support';
import { z } from 'zod';
import { consulConfig } from '../config/consul-config.factory.js';
import { run } from './run.js';

describe('config schema', () => {
  const shared = globalThis as { settingsOfTest?: unknown };
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'rookery-schema-'));
    file = join(folder, 'settings.mjs');
    writeFileSync(file, 'export const settings = globalThis.settingsOfTest; export default settings;');
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
    delete shared.settingsOfTest;
  });
  const schema = async (...args: string[]): Promise<{ code: number; out: string; err: string }> => {
    const terminal = new FakeTerminal({});
    const code = await run(['config', 'schema', ...args], terminal);
    return { code, out: terminal.out, err: terminal.err };
  };
  const limits = z.object({
    limits: z.object({
      rate: z.number().positive().describe('requests a second'),
      burst: z.number().default(10),
    }),
    required: z.boolean(),
    properties: z.object({ required: z.number() }).default({ required: 1 }),
    store: z.discriminatedUnion('type', [
      z.object({ type: z.literal('s3'), bucket: z.string() }),
      z.object({ type: z.literal('disk') }),
    ]),
  });

  it.each([
    ['--settings', () => consulConfig({ name: 'shop', schema: limits })],
    ['--schema', () => limits],
  ] as const)('prints what a file may have, of which each may have a part: %s', async (option, make) => {
    shared.settingsOfTest = make();
    const { code, out } = await schema(option, file);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual({
      $schema: 'http://json-schema.org/draft-07/schema#',
      type: 'object',
      properties: {
        limits: {
          type: 'object',
          properties: {
            rate: { type: 'number', exclusiveMinimum: 0, description: 'requests a second' },
            burst: { type: 'number', default: 10 },
          },
        },
        required: { type: 'boolean' },
        properties: {
          type: 'object',
          properties: { required: { type: 'number' } },
          default: { required: 1 },
        },
        store: {
          anyOf: [
            {
              type: 'object',
              properties: { type: { type: 'string', const: 's3' }, bucket: { type: 'string' } },
            },
            { type: 'object', properties: { type: { type: 'string', const: 'disk' } } },
          ],
        },
      },
    });
  });

  it.each([
    ['without a schema', () => consulConfig({ name: 'shop' }), 'the settings have no schema'],
    [
      'with one of a library that knows no JSON Schema',
      () =>
        consulConfig({
          schema: { '~standard': { version: 1, vendor: 'own', validate: () => ({ value: {} }) } } as never,
        }),
      'cannot be written as JSON Schema: use zod 4.2 or later',
    ],
    [
      'with one that JSON Schema cannot say',
      () => consulConfig({ schema: z.object({ at: z.date() }) }),
      'cannot be written as JSON Schema: Date',
    ],
  ])('says what is missing: %s', async (_, make, message) => {
    shared.settingsOfTest = make();
    const { code, err } = await schema('--settings', file);
    expect(code).toBe(2);
    expect(err).toContain(message);
  });

  it('wants to know which settings', async () => {
    expect((await schema()).err).toContain('--settings FILE[#EXPORT] or --schema FILE[#EXPORT] is missing');
  });

  it('takes nothing but options', async () => {
    shared.settingsOfTest = limits;
    const { code, err } = await schema('--schema', file, 'more');
    expect(code).toBe(2);
    expect(err).toContain('more');
  });
});
