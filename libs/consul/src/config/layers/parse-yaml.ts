import { parseDocument } from 'yaml';

/** As in the documentation of `yaml`: more of them are taken for an attempt to exhaust the memory. */
const MAX_ALIASES = 100;

/**
 * Reads one YAML 1.2 document with the core schema: plain data only, merge keys included.
 *
 * @throws Error with the position, and without the content, which may be secret
 */
export function parseYamlDocument(text: string): unknown {
  // Its messages may quote the text: only the code and the position of an issue are shown.
  const document = parseDocument(text, { merge: true, prettyErrors: true, logLevel: 'error' });
  // A tag that is not known is a warning for the library; a tag that would build an object is not known.
  const [issue] = [...document.errors, ...document.warnings];
  if (issue) {
    const [position] = issue.linePos ?? [];
    const where = position ? ` at line ${position.line}, column ${position.col}` : '';
    throw new Error(
      `not valid YAML${where}: ${ISSUES[issue.code] ?? issue.code.toLowerCase().replaceAll('_', ' ')}`,
    );
  }
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    const isBomb = error instanceof ReferenceError && error.message.includes('Excessive alias');
    const reason = isBomb
      ? `more than ${MAX_ALIASES} aliases`
      : 'an alias without its anchor, or a merge of what is no mapping';
    // eslint-disable-next-line preserve-caught-error -- it quotes the text
    throw new Error(`not usable YAML: ${reason}`);
  }
}

const ISSUES: Readonly<Record<string, string>> = {
  BAD_INDENT: 'wrong indentation, or a bracket that is not closed',
  BLOCK_AS_IMPLICIT_KEY: 'a colon in a text without quotation marks, or wrong indentation',
  MISSING_CHAR: 'a missing quotation mark, bracket, comma or colon',
  UNEXPECTED_TOKEN: 'an unexpected character',
  DUPLICATE_KEY: 'the same key twice',
  MULTIPLE_DOCS: 'more than one document',
  TAB_AS_INDENT: 'a tab as indentation',
  TAG_RESOLVE_FAILED: 'a tag that is not plain data',
  RESOURCE_EXHAUSTION: 'it is nested too deeply',
};
