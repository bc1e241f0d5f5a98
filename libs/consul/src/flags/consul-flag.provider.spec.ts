import { ConsoleLogger, Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ProviderEvents } from '@openfeature/server-sdk';
import { parseConfigPath, type LiveConfig } from '@rookery/discovery/adapter';
import { RecordingLogger, settle } from '@rookery/test-support';
import { Subject } from 'rxjs';
import { ConsulFlagProvider, type ConsulFlagOptions } from './consul-flag.provider.js';

describe('ConsulFlagProvider', () => {
  let values: object;
  let changes: Subject<{ readonly paths: readonly string[] }>;
  let logger: RecordingLogger;
  let emitted: unknown[];
  let provider: ConsulFlagProvider;

  const open = (options?: ConsulFlagOptions): ConsulFlagProvider => {
    const config = {
      changes$: changes,
      get: (path: string): unknown =>
        parseConfigPath(path).reduce<unknown>(
          (value, name) => (value as Record<string, unknown> | undefined)?.[name],
          values,
        ),
    };
    provider = new ConsulFlagProvider(config as unknown as LiveConfig, options);
    provider.events.addHandler(ProviderEvents.ConfigurationChanged, (details) => {
      emitted.push(details?.flagsChanged);
    });
    return provider;
  };
  const change = (...paths: string[]): void => changes.next({ paths });
  const warnings = (): string[] => logger.matching(/^warn /);

  beforeEach(() => {
    values = {};
    changes = new Subject();
    emitted = [];
    logger = new RecordingLogger();
    Logger.overrideLogger(logger);
  });
  afterEach(() => {
    Logger.overrideLogger(new ConsoleLogger());
  });

  it('has a name, and is for servers', () => {
    expect(open().metadata).toEqual({ name: 'rookery-consul' });
    expect(open().runsOn).toBe('server');
  });

  describe('a flag', () => {
    beforeEach(() => {
      values = {
        flags: { isNew: true, title: 'Hello', limit: 5, theme: { dark: true }, list: [1], nothing: null },
        other: { isNew: false },
      };
    });

    it('has its value, by its type', async () => {
      open();
      expect(await provider.resolveBooleanEvaluation('isNew', false, {})).toEqual({
        value: true,
        reason: 'STATIC',
      });
      expect(await provider.resolveStringEvaluation('title', '', {})).toEqual({
        value: 'Hello',
        reason: 'STATIC',
      });
      expect(await provider.resolveNumberEvaluation('limit', 0, {})).toEqual({ value: 5, reason: 'STATIC' });
      expect(await provider.resolveObjectEvaluation('theme', {}, {})).toEqual({
        value: { dark: true },
        reason: 'STATIC',
      });
      expect(await provider.resolveObjectEvaluation('list', [], {})).toMatchObject({ value: [1] });
    });

    it('is below another path, if one is given', async () => {
      open({ path: 'other' });
      expect((await provider.resolveBooleanEvaluation('isNew', true, {})).value).toBe(false);
    });

    it.each([
      ['resolveBooleanEvaluation', 'title', false, 'string'],
      ['resolveStringEvaluation', 'limit', 'default', 'number'],
      ['resolveNumberEvaluation', 'isNew', 7, 'boolean'],
      ['resolveObjectEvaluation', 'title', { of: 'default' }, 'string'],
      ['resolveObjectEvaluation', 'nothing', { of: 'default' }, 'object'],
    ] as const)(
      'that is of another type than %s asks for is the default: %s',
      async (method, key, byDefault, found) => {
        open();
        const resolve = provider[method].bind(provider) as (...args: unknown[]) => Promise<unknown>;
        expect(await resolve(key, byDefault, {})).toEqual({
          ...{ value: byDefault, reason: 'ERROR', errorCode: 'TYPE_MISMATCH' },
          errorMessage: `flags.${key} is of type ${found}`,
        });
      },
    );

    it('that is not there is the default', async () => {
      open();
      expect(await provider.resolveBooleanEvaluation('away', true, {})).toEqual({
        ...{ value: true, reason: 'ERROR', errorCode: 'FLAG_NOT_FOUND' },
        errorMessage: 'there is no configuration value "flags.away"',
      });
      expect(await provider.resolveBooleanEvaluation('a..b', true, {})).toMatchObject({
        ...{ value: true, reason: 'ERROR', errorCode: 'FLAG_NOT_FOUND' },
        errorMessage: 'there is an empty name between separators',
      });
    });

    it('with rules goes by the targeting key', async () => {
      values = { flags: { beta: { value: false, rules: [{ keys: ['alice'], value: true }] } } };
      open();
      const of = (targetingKey: string): Promise<object> =>
        provider.resolveBooleanEvaluation('beta', false, { targetingKey });
      expect(await of('alice')).toEqual({ value: true, reason: 'TARGETING_MATCH' });
      expect(await of('bob')).toEqual({ value: false, reason: 'DEFAULT' });
    });

    it('with rules that cannot be evaluated is the default', async () => {
      values = { flags: { beta: { value: false, rules: 'all' } } };
      open();
      expect(await provider.resolveBooleanEvaluation('beta', true, {})).toEqual({
        ...{ value: true, reason: 'ERROR', errorCode: 'PARSE_ERROR' },
        errorMessage: 'flags.beta: rules must be a list',
      });
    });
  });

  describe('when flags change', () => {
    beforeEach(async () => {
      values = { flags: { plain: true, group: { a: 1 }, beta: { value: { x: 1 }, rules: [] } } };
      await open().initialize();
    });

    it('tells which: the flag with rules around a value, else the value itself, each once', async () => {
      change(
        'flags.beta.value.x',
        'flags.plain',
        'flags.beta.rules',
        'flags.group.a',
        'elsewhere',
        'flagsOfAnother.plain',
      );
      await settle();
      expect(emitted).toEqual([['beta', 'plain', 'group.a']]);
    });

    it('tells nothing where no flag did', async () => {
      change('elsewhere');
      change('flags');
      await settle();
      expect(emitted).toEqual([]);
    });

    it('tells nothing once it is closed', async () => {
      await provider.onClose();
      change('flags.plain');
      await settle();
      expect(emitted).toEqual([]);
      expect(changes.observed).toBe(false);
    });
  });

  it('may be closed before it was begun', async () => {
    await expect(open().onClose()).resolves.toBeUndefined();
  });

  it('warns of each flag that has no effect, once until it changes', async () => {
    const broken = { value: 1, rules: [{ percent: 200, value: 2 }] };
    values = { flags: { fine: { value: 1 }, group: { beta: broken }, listed: [broken], plain: 'rules' } };
    await open().initialize();
    const warning =
      'warn flags.group.beta has no effect, and callers use their defaults: percent of a rule must be a number from 0 to 100 ConsulFlagProvider';
    expect(warnings()).toEqual([warning]);
    change('flags.plain');
    expect(warnings()).toEqual([warning]);
    values = { flags: { group: { beta: { ...broken } } } };
    change('flags.group.beta');
    expect(warnings()).toEqual([warning, warning]);
  });

  it('takes a configuration in which there are no flags', async () => {
    values = { flags: null };
    await open().initialize();
    expect(warnings()).toEqual([]);
  });
});
