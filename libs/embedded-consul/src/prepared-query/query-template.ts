import { ApiError, serverError } from '../http/api-error.js';

/** Of a prepared query that stands for every name with its prefix. */
export interface QueryTemplate {
  readonly Type: string;
  readonly Regexp: string;
  readonly RemoveEmptyTags: boolean;
}

/** What the expressions in a template are made of. */
interface Values {
  readonly full: string;
  readonly prefix: string;
  readonly suffix: string;
  readonly match: readonly string[];
}

const EXPRESSION = /\$\$\{|\$\{([^}]*)(\}?)/g;
const NO_VALUES: Values = { full: '', prefix: '', suffix: '', match: [] };

/** @throws ApiError in the words of Consul for a template that it refuses, and 501 for expressions that are not evaluated here */
export function validateTemplate(template: QueryTemplate, service: object): void {
  const failure = (reason: string): ApiError => serverError(`failed compiling template: ${reason}`);
  if (template.Type !== 'name_prefix_match') throw failure(`Bad Template.Type '${template.Type}'`);
  try {
    compile(template.Regexp);
  } catch {
    throw failure(`Bad Regexp: error parsing regexp: missing closing ): \`${template.Regexp}\``);
  }
  renderEach(service, 'Service', (text, path) => renderText(text, NO_VALUES, path, failure));
}

/** The service that a query with a name wants, with the parts of the name in place. */
export function renderTemplate<T extends { readonly Tags: readonly string[] | null }>(
  { Regexp, RemoveEmptyTags }: QueryTemplate,
  prefix: string,
  full: string,
  service: T,
): T {
  const match =
    Regexp === ''
      ? []
      : [...(compile(Regexp).exec(full) ?? [])].map((each: string | undefined) => each ?? '');
  const values: Values = { full, prefix, suffix: full.slice(prefix.length), match };
  const rendered = renderEach(service, 'Service', (text, path) =>
    renderText(text, values, path, serverError),
  ) as T;
  return RemoveEmptyTags && rendered.Tags
    ? { ...rendered, Tags: rendered.Tags.filter((tag) => tag !== '') }
    : rendered;
}

function compile(pattern: string): RegExp {
  return new RegExp(pattern);
}

/** Each text of a record, the names of its fields as they are. */
function renderEach(value: unknown, path: string, render: (text: string, path: string) => string): unknown {
  if (typeof value === 'string') return render(value, path);
  if (Array.isArray(value))
    return value.map((each: unknown, index) => renderEach(each, `${path}[${index}]`, render));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      renderEach(inner, path.endsWith('Meta') ? `${path}[${key}]` : `${path}.${key}`, render),
    ]),
  );
}

function renderText(
  text: string,
  values: Values,
  path: string,
  failure: (reason: string) => ApiError,
): string {
  return text.replace(
    EXPRESSION,
    (whole: string, given: string | undefined, end: string | undefined, at: number) => {
      const expression = given ?? '';
      if (whole === '$${') return '${';
      if (!end) throw failure(`Bad format '${text}' in ${path}: parse error: syntax error`);
      const value = evaluate(expression.trim(), values);
      if (value !== undefined) return value;
      if (/^[a-z_][\w.]*$/i.test(expression))
        throw failure(
          `Bad evaluation for '${text}' in ${path}: 1:${at + 3}: unknown variable accessed: ${expression}`,
        );
      throw new ApiError(501, `embedded-consul: the expression \${${expression}} is not implemented`);
    },
  );
}

function evaluate(expression: string, { full, prefix, suffix, match }: Values): string | undefined {
  const names: Readonly<Record<string, string>> = {
    'name.full': full,
    'name.prefix': prefix,
    'name.suffix': suffix,
    'agent.segment': '',
  };
  const group = /^match\((\d+)\)$/.exec(expression)?.[1];
  return group === undefined ? names[expression] : (match[Number(group)] ?? '');
}
