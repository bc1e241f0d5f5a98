import { errorMessage, isError } from '../../errors/error-message.js';
import type { StoredKey } from '../config-store.js';
import type { ConfigTree } from '../layers/config-tree.js';
import type { DocumentReaders } from '../layers/documents.js';
import { fillTree } from '../layers/fill-tree.js';
import type { ConfigFormat } from '../layers/layer-paths.js';
import { readLayer } from '../layers/read-layer.js';
import { mergeLayers } from '../merge/merge-layers.js';
import { resolveReferences } from '../merge/resolve-references.js';
import { InvalidContent, type ConfigProblem } from '../problem.js';
import type { SecretPaths } from '../secret-paths.js';
import { describeIssues } from '../values/describe-issue.js';
import { copyPlain, isCyclic } from '../values/plain-values.js';
import type { Validation, Validator } from '../values/validate-values.js';

export interface BuildOptions {
  readonly format: ConfigFormat;
  readonly dataKey: string;
  readonly values: 'typed' | 'text';
  readonly readers: DocumentReaders;
  readonly secrets: SecretPaths;
  readonly defaults: object;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly validate: Validator;
}

/** The keys of one layer. */
export interface LayerKeys {
  readonly path: string;
  readonly entries: readonly StoredKey[];
}

/** Values that were checked, and where each comes from. */
export interface BuiltConfig {
  readonly values: object;
  /** As they were before the schema: secrets are found by their paths in these. */
  readonly raw: unknown;
  readonly tree: ConfigTree;
  readonly secrets: SecretPaths;
}

export interface BuildResult {
  /** Undefined: there is none that could be used. */
  readonly built: BuiltConfig | undefined;
  readonly problems: readonly ConfigProblem[];
}

interface ReadLayer {
  readonly entries: readonly StoredKey[];
  /** Of the last keys that could be read. */
  readonly tree: ConfigTree | undefined;
  readonly problem: ConfigProblem | undefined;
}

/** Names at the top that Nest, or `@nestjs/config`, uses for something else. */
const RESERVED = [
  'onModuleInit',
  'onApplicationBootstrap',
  'onApplicationShutdown',
  '_PROCESS_ENV_VALIDATED',
];

/** The key that is shown for a value that is given in the options. */
const DEFAULTS_KEY = 'defaults';

/** Makes values of keys. A layer that cannot be read counts as it was when it last could. */
export class ConfigBuilder {
  readonly #options: BuildOptions;
  readonly #defaults: ConfigTree;
  readonly #layers = new Map<string, ReadLayer>();

  /** @throws InvalidContent when the defaults cannot be used */
  constructor(options: BuildOptions) {
    this.#options = options;
    const { defaults } = options;
    this.#defaults = fillTree(
      Object.keys(defaults).length === 0 ? [] : [{ path: [], value: defaults, key: DEFAULTS_KEY }],
    );
  }

  /** Whatever keys may hold, it does not throw. */
  async build(layers: readonly LayerKeys[]): Promise<BuildResult> {
    try {
      return await this.#build(layers);
    } catch (error) {
      const reason = `it cannot be used: ${errorMessage(error)}`;
      return { built: undefined, problems: [{ key: 'the configuration', reason }] };
    }
  }

  async #build(layers: readonly LayerKeys[]): Promise<BuildResult> {
    const read = layers.map((layer) => this.#read(layer));
    const problems = read.flatMap(({ problem }) => problem ?? []);
    // References are resolved in place: in a tree that is made anew each time.
    const tree = mergeLayers([this.#defaults, ...read.flatMap((layer) => layer.tree ?? [])]);
    const { environment, values: mode, secrets: named } = this.#options;
    const references = resolveReferences(tree, { environment, values: mode, secrets: named });
    problems.push(...references.problems);
    const isComplete = references.problems.length === 0 && read.every((layer) => layer.tree);
    if (!isComplete) return { built: undefined, problems };
    const secrets = named.with(references.secrets);
    const values = tree.toValue();
    const validation = await this.#validate(values);
    if (validation.issues) {
      problems.push(...describeIssues(validation.issues, values, tree, secrets));
      return { built: undefined, problems };
    }
    const { values: result } = validation;
    const issue = resultIssue(result, tree);
    if (issue) return { built: undefined, problems: [...problems, issue] };
    return { built: { values: copyPlain(result) as object, raw: values, tree, secrets }, problems };
  }

  /** A schema that throws has found something wrong, too; its message may quote a value. */
  async #validate(values: unknown): Promise<Validation> {
    try {
      return await this.#options.validate(values);
    } catch (error) {
      const name = isError(error) ? error.name : typeof error;
      return { issues: [{ path: [], message: `the schema threw a ${name}` }] };
    }
  }

  #read({ path, entries }: LayerKeys): ReadLayer {
    const known = this.#layers.get(path);
    if (known?.entries === entries) return known;
    let layer: ReadLayer;
    try {
      layer = { entries, tree: readLayer(path, entries, this.#options), problem: undefined };
    } catch (error) {
      if (!(error instanceof InvalidContent)) throw error;
      layer = { entries, tree: known?.tree, problem: { key: error.key, reason: error.reason } };
    }
    this.#layers.set(path, layer);
    return layer;
  }
}

/** Why what a schema returned cannot be used. */
function resultIssue(result: unknown, tree: ConfigTree): ConfigProblem | undefined {
  if (typeof result !== 'object' || result === null || Array.isArray(result))
    return { key: 'schema', reason: 'it returned no object' };
  if (isCyclic(result)) return { key: 'schema', reason: 'it returned an object that contains itself' };
  const reserved = RESERVED.find((name) => Object.hasOwn(result, name));
  if (reserved === undefined) return undefined;
  const [first] = tree.find([reserved])?.leaves() ?? [];
  return { key: first?.leaf.key ?? 'schema', reason: `the name "${reserved}" is reserved; rename it` };
}
