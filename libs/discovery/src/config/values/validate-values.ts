import type { Type } from '@nestjs/common';
import {
  isStandardSchema,
  type StandardIssue,
  type StandardSchema,
} from '../../configuration/standard-schema.js';
import { DiscoveryError } from '../../errors/discovery-error.js';
import type { ConfigPath } from '../config-path.js';
import { adopt } from './plain-values.js';

/** What checks the values: a Standard Schema (zod, Valibot, ArkType), or a class with the decorators of `class-validator`. */
export type ConfigSchema<T = unknown> = StandardSchema | Type<T>;

export interface ValueIssue {
  /** Empty for the values as a whole. */
  readonly path: ConfigPath;
  readonly message: string;
}

/** The values as the schema returns them, or what is wrong with them. */
export type Validation =
  { readonly values: unknown; readonly issues?: undefined } | { readonly issues: readonly ValueIssue[] };

export type Validator = (values: unknown) => Promise<Validation>;

/** @throws DiscoveryError `RK_CONFIG_INVALID` when `class-validator` or `class-transformer` is not installed */
export async function loadValidator(schema: ConfigSchema | undefined): Promise<Validator> {
  if (!schema) return (values) => Promise.resolve({ values });
  return isStandardSchema(schema) ? validatorOfSchema(schema) : loadClassValidator(schema);
}

function validatorOfSchema(schema: StandardSchema): Validator {
  return async (values) => {
    const result = await schema['~standard'].validate(values);
    if (!result.issues) return { values: result.value };
    return { issues: result.issues.map((issue) => ({ path: pathOf(issue), message: issue.message })) };
  };
}

function pathOf({ path = [] }: StandardIssue): ConfigPath {
  return path.map((part) => {
    const name = typeof part === 'object' ? part.key : part;
    return typeof name === 'symbol' ? String(name) : name;
  });
}

/** As much as is used of the errors of `class-validator`. */
interface ClassIssue {
  readonly property: string;
  readonly constraints?: Readonly<Record<string, string>>;
  readonly children?: readonly ClassIssue[];
}

async function loadClassValidator(type: Type): Promise<Validator> {
  const [{ plainToInstance }, { validate }] = await Promise.all([
    import('class-transformer'),
    import('class-validator'),
  ]).catch((error: unknown) => {
    throw new DiscoveryError('RK_CONFIG_INVALID', `consulConfig: schema is the class ${type.name}`, {
      hint: 'Install class-validator and class-transformer, or use a schema of zod',
      cause: error,
    });
  });
  return async (values) => {
    const instance: unknown = plainToInstance(type, values, {
      enableImplicitConversion: true,
      exposeDefaultValues: true,
    });
    const issues = await validate(instance as object, { forbidUnknownValues: false });
    if (issues.length > 0) return { issues: issues.flatMap((issue) => issuesOf(issue, [])) };
    adopt(instance);
    return { values: instance };
  };
}

function issuesOf(
  { property, constraints = {}, children = [] }: ClassIssue,
  above: readonly string[],
): ValueIssue[] {
  const path = [...above, property];
  const messages = Object.values(constraints);
  const own = messages.length > 0 ? [{ path, message: messages.join('; ') }] : [];
  return [...own, ...children.flatMap((child) => issuesOf(child, path))];
}
