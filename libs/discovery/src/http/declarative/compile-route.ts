import { validateOptions } from '../../configuration/validate-options.js';
import { serviceClientOptionsSchema, type ServiceRequestOptions } from '../service-client.options.js';
import type {
  ArgumentRole,
  CompiledRoute,
  DeclaredArgument,
  DeclaredRoute,
  RouteOptions,
} from './declared-route.js';
import { hasDotSegment, parsePath, type PathTemplate } from './path-template.js';
import { isStandardSchema } from '../../configuration/standard-schema.js';

const DECORATORS: Readonly<Record<ArgumentRole, string>> = {
  param: '@Param',
  query: '@Query',
  body: '@Body',
  header: '@Header',
  options: '@CallOptions',
};
const ROUTE_OPTIONS: ReadonlySet<string> = new Set(['response', 'fallback', 'errors', 'config']);

/**
 * Checks what the decorators of a method say, and prepares its requests.
 *
 * @param prototype of the class, for the methods that options name
 * @returns the route, or what is wrong with it
 */
export function compileRoute(
  declared: DeclaredRoute,
  prototype: object,
): { readonly route: CompiledRoute } | { readonly mistakes: readonly string[] } {
  const [route, ...others] = declared.routes;
  if (!route)
    return {
      mistakes: ['has decorated parameters or @CallOptions, and no @Get, @Post, @Put, @Patch or @Delete'],
    };
  const { method, path, options } = route;
  const template = parsePath(path);
  const of = (role: ArgumentRole): DeclaredArgument[] =>
    declared.arguments.filter((each) => each.role === role).sort((a, b) => a.index - b.index);
  const [params, body, callOptions] = [of('param'), of('body'), of('options')];
  const mistakes = [
    ...(others.length > 0
      ? ['has several of @Get, @Post, @Put, @Patch and @Delete: a method makes one request']
      : []),
    ...pathMistakes(path, template, params),
    ...doubles(declared.arguments),
    ...(method === 'get' && body.length > 0 ? ['has a @Body, and a GET request has none'] : []),
    ...(callOptions.length > 1 ? ['has several parameters with @CallOptions'] : []),
    ...optionMistakes(options, declared.call, prototype),
  ];
  if (mistakes.length > 0) return { mistakes };
  return {
    route: {
      method,
      path,
      template,
      options,
      call:
        declared.call.length > 0 ? (Object.assign({}, ...declared.call) as ServiceRequestOptions) : undefined,
      params: template.names.map((name) => params.find((each) => each.name === name)?.index ?? -1),
      query: of('query'),
      body,
      headers: of('header'),
      callOptions: callOptions[0]?.index,
    },
  };
}

function pathMistakes(path: string, { names }: PathTemplate, params: readonly DeclaredArgument[]): string[] {
  const mistakes: string[] = [];
  if (/^([a-z][a-z\d+.-]*:)?\/\//i.test(path))
    mistakes.push(`path "${path}": must not have a host; the instance has it`);
  if (/[*{}\s#]/.test(path))
    mistakes.push(`path "${path}": has no wildcards, optional parts, spaces or fragments here`);
  if (hasDotSegment(path)) mistakes.push(`path "${path}": must not have . or .. as a part`);
  for (const name of new Set(names)) {
    if (!params.some((each) => each.name === name))
      mistakes.push(
        `path "${path}": no parameter has @Param('${name}') of "@rookery/consul/client" for :${name}`,
      );
    if (names.indexOf(name) !== names.lastIndexOf(name)) mistakes.push(`path "${path}": has :${name} twice`);
  }
  for (const { name, index } of params) {
    if (name === undefined)
      mistakes.push(`parameter ${index + 1}: @Param needs the name of a part of the path`);
    else if (!names.includes(name))
      mistakes.push(`parameter ${index + 1}: @Param('${name}') is not in the path "${path}"`);
  }
  return mistakes;
}

/** Two arguments for one thing, or one argument for two. */
function doubles(all: readonly DeclaredArgument[]): string[] {
  const mistakes = new Set<string>();
  for (const [at, each] of all.entries())
    for (const other of all.slice(at + 1)) {
      const { role, name } = other;
      if (each.index === other.index)
        mistakes.add(`parameter ${each.index + 1}: has ${DECORATORS[each.role]} and ${DECORATORS[role]}`);
      else if (each.role === role && each.name === name && role !== 'options')
        mistakes.add(`${DECORATORS[role]}(${name === undefined ? '' : `'${name}'`}) is there twice`);
      else if (each.role === 'body' && role === 'body' && (each.name === undefined || name === undefined))
        mistakes.add("@Body() is the whole body: it cannot stand beside a @Body('name')");
    }
  return [...mistakes];
}

function optionMistakes(
  options: RouteOptions,
  call: readonly ServiceRequestOptions[],
  prototype: object,
): string[] {
  const mistakes: string[] = [];
  const { response, fallback, errors = {} } = options;
  for (const key in options)
    if (!ROUTE_OPTIONS.has(key))
      mistakes.push(
        `option ${key}: is unknown; known here: ${[...ROUTE_OPTIONS].join(', ')}. @CallOptions has those of a call`,
      );
  if (response !== undefined && !isStandardSchema(response))
    mistakes.push('option response: must be a Standard Schema, such as one of zod');
  if (fallback !== undefined && typeof (prototype as Record<string, unknown>)[fallback] !== 'function')
    mistakes.push(`option fallback: the class has no method ${JSON.stringify(fallback)}`);
  for (const [status, create] of Object.entries(errors) as [string, unknown][])
    if (!/^[1-5]\d\d$/.test(status) || typeof create !== 'function')
      mistakes.push(`option errors[${status}]: must be a status with a function that returns an error`);
  for (const each of call) {
    const { hashKey: _, fallback: __, ...rest } = each;
    for (const { field, value, hint } of validateOptions(serviceClientOptionsSchema, rest))
      mistakes.push(`@CallOptions ${field}${value === undefined ? '' : ` = ${value}`}: ${hint}`);
  }
  return mistakes;
}
