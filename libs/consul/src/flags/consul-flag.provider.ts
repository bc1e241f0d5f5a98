import {
  ErrorCode,
  OpenFeatureEventEmitter,
  ProviderEvents,
  type EvaluationContext,
  type JsonValue,
  type Provider,
  type ResolutionDetails,
} from '@openfeature/server-sdk';
import { errorMessage, formatConfigPath, parseConfigPath, type LiveConfig } from '@rookery/discovery/adapter';
import { Logger } from '@nestjs/common';
import type { Subscription } from 'rxjs';
import { evaluateFlag, isDefinition } from './evaluate-flag.js';

export interface ConsulFlagOptions {
  /** Below which path of the configuration the flags are. Default: `'flags'`. */
  path?: string;
}

/**
 * Feature flags from live configuration, for OpenFeature. A flag is a value, such as `flags.new-checkout` = `true`; or it has rules by
 * targeting key: `{ "value": false, "rules": [{ "keys": ["alice"], "value": true }, { "percent": 20, "value": true }] }`.
 *
 * @example
 * ```ts
 * await OpenFeature.setProviderAndWait(new ConsulFlagProvider(app.get(ConsulConfig)));
 * const isOn = await OpenFeature.getClient().getBooleanValue('new-checkout', false, { targetingKey: user.id });
 * ```
 */
export class ConsulFlagProvider implements Provider {
  readonly metadata = { name: 'rookery-consul' } as const;
  readonly runsOn = 'server';
  readonly events = new OpenFeatureEventEmitter();
  readonly #config: LiveConfig;
  readonly #path: string;
  readonly #logger = new Logger('ConsulFlagProvider');
  /** The flags that have been looked at, as they were. */
  readonly #warned = new Map<string, unknown>();
  #subscription: Subscription | undefined;

  constructor(config: LiveConfig, { path = 'flags' }: ConsulFlagOptions = {}) {
    this.#config = config;
    this.#path = formatConfigPath(parseConfigPath(path));
  }

  /** Called by OpenFeature. */
  initialize(): Promise<void> {
    this.#warnOfBroken();
    this.#subscription = this.#config.changes$.subscribe(({ paths }) => {
      this.#warnOfBroken();
      const flagsChanged = [...new Set(paths.flatMap((changed) => this.#flagOf(changed) ?? []))];
      if (flagsChanged.length > 0) this.events.emit(ProviderEvents.ConfigurationChanged, { flagsChanged });
    });
    return Promise.resolve();
  }

  /** Called by OpenFeature. */
  onClose(): Promise<void> {
    this.#subscription?.unsubscribe();
    return Promise.resolve();
  }

  resolveBooleanEvaluation(
    flagKey: string,
    defaultValue: boolean,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<boolean>> {
    return this.#resolve(flagKey, defaultValue, context, (value) => typeof value === 'boolean');
  }

  resolveStringEvaluation(
    flagKey: string,
    defaultValue: string,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<string>> {
    return this.#resolve(flagKey, defaultValue, context, (value) => typeof value === 'string');
  }

  resolveNumberEvaluation(
    flagKey: string,
    defaultValue: number,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<number>> {
    return this.#resolve(flagKey, defaultValue, context, (value) => typeof value === 'number');
  }

  resolveObjectEvaluation<T extends JsonValue>(
    flagKey: string,
    defaultValue: T,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<T>> {
    return this.#resolve(
      flagKey,
      defaultValue,
      context,
      (value) => typeof value === 'object' && value !== null,
    );
  }

  #resolve<T>(
    flagKey: string,
    defaultValue: T,
    { targetingKey }: EvaluationContext,
    isOfType: (value: unknown) => boolean,
  ): Promise<ResolutionDetails<T>> {
    const failed = (errorCode: ErrorCode, errorMessage: string): Promise<ResolutionDetails<T>> =>
      Promise.resolve({ value: defaultValue, reason: 'ERROR', errorCode, errorMessage });
    const path = `${this.#path}.${flagKey}`;
    let flag: unknown;
    try {
      flag = this.#config.get(path);
    } catch (error) {
      // A key that is no path, such as "a..b".
      return failed(ErrorCode.FLAG_NOT_FOUND, errorMessage(error));
    }
    if (flag === undefined)
      return failed(ErrorCode.FLAG_NOT_FOUND, `there is no configuration value "${path}"`);
    const evaluation = evaluateFlag(flagKey, flag, targetingKey);
    if ('error' in evaluation) return failed(ErrorCode.PARSE_ERROR, `${path}: ${evaluation.error}`);
    const { value, reason } = evaluation;
    if (!isOfType(value)) return failed(ErrorCode.TYPE_MISMATCH, `${path} is of type ${typeof value}`);
    return Promise.resolve({ value: value as T, reason });
  }

  /** A rule that cannot be evaluated makes callers use their default: it is said when the rule is made, and not only then. */
  #warnOfBroken(): void {
    for (const [key, flag] of definitionsIn(this.#config.get(this.#path))) {
      const evaluation = evaluateFlag(key, flag, undefined);
      if ('error' in evaluation && this.#warned.get(key) !== flag)
        this.#logger.warn(
          `${this.#path}.${key} has no effect, and callers use their defaults: ${evaluation.error}`,
        );
      this.#warned.set(key, flag);
    }
  }

  /** The flag that a changed value belongs to: the flag with rules around it, else the value itself. */
  #flagOf(changed: string): string | undefined {
    if (!changed.startsWith(`${this.#path}.`)) return undefined;
    const names = parseConfigPath(changed.slice(this.#path.length + 1));
    const isFlag = (length: number): boolean =>
      isDefinition(this.#config.get(`${this.#path}.${formatConfigPath(names.slice(0, length))}`));
    const length = names.findIndex((_, index) => isFlag(index + 1)) + 1;
    return formatConfigPath(length > 0 ? names.slice(0, length) : names);
  }
}

/** Every flag with rules, by its key. */
function* definitionsIn(value: unknown, path: readonly string[] = []): Generator<[string, unknown]> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
  if (path.length > 0 && isDefinition(value)) yield [formatConfigPath(path), value];
  else for (const [name, part] of Object.entries(value)) yield* definitionsIn(part, [...path, name]);
}
