import { mkdtempSync, readFileSync, rmSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { StaticSource } from '@rookery/discovery';
import {
  InMemoryRegistry,
  registryContract,
  type RegistryUnderTest,
  sourceContract,
  type SourceUnderTest,
} from '@rookery/discovery/testing';
import { FileRegistry } from './file.registry.js';
import { registrationOf } from './registration-of.js';

const file = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

describe('the in-memory registry', () => {
  const start = async () => {
    const registry = new InMemoryRegistry();
    return { registry, stop: () => registry.close() };
  };
  const startSource = async (
    instances: Parameters<Parameters<typeof sourceContract>[0]>[0],
  ): Promise<SourceUnderTest> => {
    const { registry, stop } = await start();
    for (const instance of instances) registry.put(instance);
    return {
      source: registry,
      put: async (instance) => void registry.put(instance),
      remove: async ({ id }) => registry.remove(id),
      stop,
    };
  };
  const startRegistry = async (): Promise<RegistryUnderTest> => {
    const { registry, stop } = await start();
    return { registry, remove: async ({ id }) => registry.remove(id), stop };
  };
  it.each([...sourceContract(startSource), ...registryContract(startRegistry)])('$name', async ({ run }) => {
    await expect(run()).resolves.toBeUndefined();
  });
});

describe('the static list', () => {
  const start = async (
    instances: readonly { service: string; id: string; port: number }[],
  ): Promise<SourceUnderTest> => {
    const services: Record<string, { address: string; port: number; id: string }[]> = {};
    for (const { service, id, port } of instances)
      (services[service] ??= []).push({ address: '127.0.0.1', port, id });
    const source = new StaticSource(services);
    return { source, stop: () => source.close() };
  };
  it.each(sourceContract(start))('$name', async ({ run }) => {
    await expect(run()).resolves.toBeUndefined();
  });
});

describe('the registry that the page shows', () => {
  const startRegistry = async (): Promise<RegistryUnderTest & { folder: string }> => {
    const folder = mkdtempSync(join(tmpdir(), 'rookery-files-'));
    const registry = new FileRegistry(folder);
    return {
      folder,
      registry,
      remove: async ({ service, id }) => unlinkSync(join(folder, service, `${id}.json`)),
      stop: async () => rmSync(folder, { recursive: true }),
    };
  };
  const startSource = async (
    instances: Parameters<Parameters<typeof sourceContract>[0]>[0],
  ): Promise<SourceUnderTest> => {
    const { registry, remove, stop } = await startRegistry();
    const { signal } = new AbortController();
    for (const instance of instances) await registry.register(registrationOf(instance), signal);
    return {
      source: registry,
      put: (instance) => registry.register(registrationOf(instance), signal),
      remove,
      stop,
    };
  };
  it.each([...sourceContract(startSource), ...registryContract(startRegistry)])('$name', async ({ run }) => {
    await expect(run()).resolves.toBeUndefined();
  });

  it('is on the page as it is here, complete, in under 150 lines', () => {
    const own = file('test/registries/file.registry.ts');
    expect(own.trimEnd().split('\n').length).toBeLessThan(150);
    expect(file('libs/discovery/docs/registry-adapter.md')).toContain(own.trimEnd());
    // What nest generate makes.
    expect(file('libs/consul/schematics/adapter.ts.txt')).toBe(own);
  });
});

describe('the contract', () => {
  it('bites: a registry that loses what it registers, or that lists a foreign instance, does not pass', async () => {
    class Forgetful extends InMemoryRegistry {
      override async register(): Promise<void> {
        return;
      }
    }
    class Confused extends InMemoryRegistry {
      override async readConsistent(service: string) {
        return super.readConsistent(`${service}2`, {});
      }
    }
    const failures: string[] = [];
    const forgetful = async () => {
      const registry = new Forgetful();
      return { registry, remove: async () => undefined, stop: () => registry.close() };
    };
    const confused = async (instances: Parameters<Parameters<typeof sourceContract>[0]>[0]) => {
      const source = new Confused();
      for (const instance of instances) source.put(instance);
      return { source, stop: () => source.close() };
    };
    const [holds] = registryContract(forgetful);
    const reads = sourceContract(confused).find(({ name }) => name.includes('afresh'));
    for (const each of [holds, reads])
      await each?.run().catch((error: unknown) => failures.push(String(error)));
    expect(failures).toEqual([
      expect.stringContaining('nothing is held under "contract-1"'),
      expect.stringMatching(/4003/),
    ]);
  });
});
