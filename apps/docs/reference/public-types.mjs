// The public declarations of a library, as the compiler reads them from what is built.
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const LIBS = fileURLToPath(new URL('../../../libs/', import.meta.url));

/** Names of the libraries' entries, `consul/index`, and in each of them what it exports. */
export class PublicTypes {
  #program;
  #checker;

  /** @param {readonly string[]} entries such as `consul/index` */
  constructor(entries) {
    this.#program = ts.createProgram({
      rootNames: entries.map(fileOf),
      options: {
        module: ts.ModuleKind.NodeNext,
        moduleResolution: ts.ModuleResolutionKind.NodeNext,
        target: ts.ScriptTarget.ES2023,
        strict: true,
        skipLibCheck: true,
        types: ['node'],
      },
    });
    this.#checker = this.#program.getTypeChecker();
  }

  /** @returns {readonly ts.Symbol[]} what an entry exports, its own and what it hands on */
  #exports(entry) {
    const module = this.#checker.getSymbolAtLocation(this.#program.getSourceFile(fileOf(entry)));
    return this.#checker
      .getExportsOfModule(module)
      .map((each) =>
        (each.flags & ts.SymbolFlags.Alias) === 0 ? each : this.#checker.getAliasedSymbol(each),
      );
  }

  /** @returns {ts.Type} */
  type(entry, name) {
    const found = this.#exports(entry).find((each) => each.name === name);
    if (!found) throw new Error(`${entry} exports no ${name}`);
    return this.#checker.getDeclaredTypeOfSymbol(found);
  }

  /** The names of the interfaces of an entry that end in `Options`. */
  optionNames(entry) {
    return this.#exports(entry)
      .filter(({ name, flags }) => name.endsWith('Options') && (flags & ts.SymbolFlags.Interface) !== 0)
      .map(({ name }) => name);
  }

  /** What its comment says, in one line. */
  comment(symbol) {
    const text = ts.displayPartsToString(symbol.getDocumentationComment(this.#checker));
    return text.replaceAll(/\s*\n\s*/g, ' ').trim();
  }

  /** The type of a property that is given. */
  typeOf(property) {
    return this.#checker.getNonNullableType(this.#checker.getTypeOfSymbol(property));
  }

  text(type) {
    return this.#checker.typeToString(type, undefined, ts.TypeFormatFlags.NoTruncation);
  }

  /** What is in a list, a record, or each of a union, and in theirs. @returns {readonly { type: ts.Type, isNamed: boolean }[]} */
  members(type, isNamed = false) {
    if (type.isUnion()) return type.types.flatMap((each) => this.members(each, isNamed));
    const element = this.#checker.getIndexTypeOfType(type, ts.IndexKind.Number);
    if (element && !(type.flags & ts.TypeFlags.StringLike)) return this.members(element, isNamed);
    const value = this.#checker.getIndexTypeOfType(type, ts.IndexKind.String);
    return value ? this.members(value, true) : [{ type, isNamed }];
  }
}

function fileOf(entry) {
  const [library, name] = entry.split('/');
  return `${LIBS}${library}/dist/${name}.d.ts`;
}
