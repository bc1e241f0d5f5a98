// The options of an interface and of those within it, a section for each: names, values, defaults, and what they are.
import ts from 'typescript';
import { slugOf } from '../slug.mjs';
import { hasKeys, objectsIn, valuesOf } from './option-values.mjs';

const DEFAULT = / ?Default: (?<value>(?:`[^`]*`|[^`.]|\.(?=\S))+)\./;
const OBJECT = /^an? (?:object|check|rule) such as/;

/**
 * @typedef {object} Root An interface of options, and where it is given.
 * @property {string} title of its section
 * @property {string} entry of the library that exports it
 * @property {string} type its name
 * @property {import('zod').ZodObject | import('zod').ZodUnion} [schema]
 * @property {{ keys: readonly string[], text: string }} [elsewhere] options that are on another page, and on which
 */

/**
 * @typedef {object} Option
 * @property {string} name
 * @property {string} values
 * @property {boolean} isRequired
 * @property {string | undefined} default
 * @property {string} text
 */

/**
 * @typedef {object} Section
 * @property {string} title
 * @property {string} text
 * @property {Option[]} options
 * @property {{ keys: readonly string[], text: string }[]} elsewhere
 */

/** The sections of a page, in the order in which options name each other. */
export class OptionSections {
  /** @type {Section[]} */
  sections = [];
  /** The section of each declaration, of an interface or of one of its options: it is described once. */
  #known = new Map();
  #types;
  /** The names of the interfaces that have a section, or all of whose options have one. */
  names = new Set();

  /** @param {import('./public-types.mjs').PublicTypes} types */
  constructor(types) {
    this.#types = types;
  }

  /** @param {Root} root */
  add({ title, entry, type: name, schema, elsewhere }) {
    const type = this.#types.type(entry, name);
    const schemas = schema === undefined ? [] : 'shape' in schema ? [schema] : objectsIn(schema);
    const keys = type.getProperties().map((property) => property.name);
    const own = schemas.find((each) => hasKeys(each, keys)) ?? schemas.at(0);
    this.#section(title, '', type, own, elsewhere);
  }

  #section(title, path, type, schema, elsewhere) {
    const section = {
      title,
      text: this.#types.comment(type.aliasSymbol ?? type.symbol),
      options: [],
      elsewhere: elsewhere ? [elsewhere] : [],
    };
    this.sections.push(section);
    this.#describe(type, title);
    const inner = [];
    for (const property of type.getProperties()) {
      if (elsewhere?.keys.includes(property.name) || isInternal(property)) continue;
      const declaration = property.declarations?.[0];
      const before = this.#known.get(declaration);
      const isRequired = (property.flags & ts.SymbolFlags.Optional) === 0;
      if (before !== undefined && !isRequired) {
        mention(section, before, property.name);
        continue;
      }
      this.#known.set(declaration, title);
      const ofSchema = schema?.shape[property.name];
      const objects = this.#objects(property, path, ofSchema);
      inner.push(...objects);
      const comment = this.#types.comment(property);
      section.options.push({
        name: property.name,
        values: this.#values(property, ofSchema, objects),
        isRequired,
        default: DEFAULT.exec(comment)?.groups?.value,
        text: comment.replace(DEFAULT, '').trim(),
      });
    }
    for (const { heading, at, type: object, schema: ofObject } of inner)
      if (!this.#known.has(keyOf(object))) this.#section(heading, at, object, ofObject);
  }

  /** The interfaces among the values of an option, each with its heading and its schema: what has none is no object with options. */
  #objects(property, path, schema) {
    if (schema === undefined) return [];
    const schemas = objectsIn(schema);
    const seen = new Set();
    return this.#types.members(this.#types.typeOf(property)).flatMap(({ type, isNamed }) => {
      const keys = type.getProperties().map(({ name }) => name);
      const kinds = this.#kinds(type);
      const own = schemas.find(
        (each) => hasKeys(each, keys) && (kinds.length === 0 || each.shape.type.safeParse(kinds[0]).success),
      );
      if (own === undefined || seen.has(keyOf(type))) return [];
      seen.add(keyOf(type));
      const at = `${path === '' ? '' : `${path}.`}${property.name}${isNamed ? '.NAME' : ''}`;
      const heading = `\`${at}\`${kinds.length === 0 ? '' : `: ${kinds.join(', ')}`}`;
      return [
        { at, type, schema: own, heading: this.#known.get(keyOf(type)) ?? this.#subset(type) ?? heading },
      ];
    });
  }

  /** Which of several shapes it is, by its `type`. */
  #kinds(type) {
    const property = type.getProperty('type');
    const members = property ? this.#types.members(this.#types.typeOf(property)) : [];
    return members.flatMap((member) => (member.type.isStringLiteral() ? [member.type.value] : []));
  }

  /** The section that has all options of a type already, since its own type extends it. */
  #subset(type) {
    const titles = new Set(
      type.getProperties().map(({ declarations }) => this.#known.get(declarations?.[0])),
    );
    const [title] = titles;
    if (titles.size !== 1 || title === undefined) return undefined;
    this.#describe(type, title);
    return title;
  }

  #describe(type, title) {
    this.#known.set(keyOf(type), title);
    this.names.add((type.aliasSymbol ?? type.symbol).name);
  }

  #values(property, schema, objects) {
    const words = schema && valuesOf(schema);
    const links = objects.map(({ heading }) => linkTo(heading)).join(', ');
    if (links !== '') return words === undefined || OBJECT.test(words) ? links : `${words}: ${links}`;
    if (words !== undefined) return words;
    return `\`${this.#types.text(this.#types.typeOf(property)).replaceAll('"', "'")}\``;
  }
}

/** For the library itself, though it stands in a public interface. */
function isInternal(property) {
  return property.getJsDocTags().some(({ name }) => name === 'internal');
}

function linkTo(heading) {
  return `[${heading}](#${slugOf(heading)})`;
}

/** Says in a section that the option is described in an earlier one. */
function mention(section, heading, key) {
  const text = `as in ${linkTo(heading)}`;
  const known = section.elsewhere.find((each) => each.text === text);
  if (known) known.keys.push(key);
  else section.elsewhere.push({ keys: [key], text });
}

/** Of an intersection or a `Pick` there is no one declaration. */
function keyOf(type) {
  const symbol = type.aliasSymbol ?? type.symbol;
  return symbol === undefined || symbol.name.startsWith('__') ? type : symbol;
}
