import {
  ErrorCode,
  OpenFeatureEventEmitter,
  ProviderEvents,
  type EvaluationContext,
  type JsonValue,
  type Provider,
  type ResolutionDetails,
} from '@openfeature/server-sdk';
import { errorMessage } from '@rookery/discovery/adapter';
import type { Subscription } from 'rxjs';
import type { ConsulConfig } from '../config/consul-config.js';
import { formatConfigPath, parseConfigPath } from '../config/config-path.js';
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
  readonly #config: ConsulConfig;
  readonly #path: string;
  #subscription: Subscription | undefined;

  constructor(config: ConsulConfig, { path = 'flags' }: ConsulFlagOptions = {}) {
    this.#config = config;
    this.#path = formatConfigPath(parseConfigPath(path));
  }

  /** Called by OpenFeature. */
  initialize(): Promise<void> {
    this.#subscription = this.#config.changes$.subscribe(({ paths }) => {
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
