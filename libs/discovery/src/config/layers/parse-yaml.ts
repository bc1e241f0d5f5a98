import { isScalar, LineCounter, parseDocument, visit, type Document } from 'yaml';

/** As in the documentation of `yaml`: more of them are taken for an attempt to exhaust the memory. */
const MAX_ALIASES = 100;
/** The library takes seconds for a document that begins hundreds of thousands of lists. */
const MAX_OPEN_BRACKETS = 1_000;

/**
 * Reads one YAML 1.2 document with the core schema: plain data only, merge keys included.
 *
 * @throws Error with the position, and without the content, which may be secret
 */
export function parseYamlDocument(text: string): unknown {
  if (countOf(text, '[') > countOf(text, ']') + MAX_OPEN_BRACKETS)
    throw new Error('not valid YAML: it is nested too deeply');
  const lineCounter = new LineCounter();
  // Its own check for unique keys compares each with each, and its own messages quote the text.
  const document = parseDocument(text, {
    merge: true,
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'error',
    lineCounter,
  });
  // A tag that is not known is a warning for the library; a tag that would build an object is not known.
  const [issue] = [...document.errors, ...document.warnings];
  if (issue)
    throw invalid(
      issue.pos[0],
      ISSUES[issue.code] ?? issue.code.toLowerCase().replaceAll('_', ' '),
      lineCounter,
    );
  const twice = positionOfTwin(document);
  if (twice !== undefined) throw invalid(twice, 'the same key twice', lineCounter);
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

function invalid(position: number, reason: string, lines: LineCounter): Error {
  const { line, col } = lines.linePos(position);
  return new Error(`not valid YAML at line ${line}, column ${col}: ${reason}`);
}

/** Where a key of a mapping stands for the second time; undefined: nowhere. */
function positionOfTwin(document: Document): number | undefined {
  let found: number | undefined;
  visit(document, {
    Map: (_, map) => {
      const known = new Set<unknown>();
      for (const { key } of map.items) {
        if (!isScalar(key) || key.value === '<<') continue;
        if (known.has(key.value)) {
          found = key.range?.[0] ?? 0;
          return visit.BREAK;
        }
        known.add(key.value);
      }
      return undefined;
    },
  });
  return found;
}

function countOf(text: string, character: string): number {
  let count = 0;
  for (let at = text.indexOf(character); at >= 0; at = text.indexOf(character, at + 1)) count++;
  return count;
}

const ISSUES: Readonly<Record<string, string>> = {
  BAD_INDENT: 'wrong indentation, or a bracket that is not closed',
  BLOCK_AS_IMPLICIT_KEY: 'a colon in a text without quotation marks, or wrong indentation',
  MISSING_CHAR: 'a missing quotation mark, bracket, comma or colon',
  UNEXPECTED_TOKEN: 'an unexpected character',
  MULTIPLE_DOCS: 'more than one document',
  TAB_AS_INDENT: 'a tab as indentation',
  TAG_RESOLVE_FAILED: 'a tag that is not plain data',
  RESOURCE_EXHAUSTION: 'it is nested too deeply',
};
