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

  /** @returns {ts.Type} */
  type(entry, name) {
    const file = this.#program.getSourceFile(fileOf(entry));
    const module = file && this.#checker.getSymbolAtLocation(file);
    const found = module && this.#checker.getExportsOfModule(module).find((each) => each.name === name);
    if (!found) throw new Error(`${entry} exports no ${name}`);
    const isAlias = (found.flags & ts.SymbolFlags.Alias) !== 0;
    return this.#checker.getDeclaredTypeOfSymbol(isAlias ? this.#checker.getAliasedSymbol(found) : found);
  }

  /** The names of the interfaces that an entry exports and that end in `Options`, its own and those that it hands on. */
  optionNames(entry) {
    const file = this.#program.getSourceFile(fileOf(entry));
    const module = file && this.#checker.getSymbolAtLocation(file);
    return this.#checker
      .getExportsOfModule(module)
      .map((each) =>
        (each.flags & ts.SymbolFlags.Alias) === 0 ? each : this.#checker.getAliasedSymbol(each),
      )
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
