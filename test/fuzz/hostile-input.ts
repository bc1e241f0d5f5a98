type Random = () => number;

/** What has broken parsers before: of names, numbers, addresses, headers, documents and lengths. */
const HOSTILE: readonly string[] = [
  '__proto__',
  'constructor',
  'prototype',
  '"__proto__":{"polluted":1}',
  'toString',
  '\u0000',
  '\r\nX-Injected: 1\r\n',
  '\u2028',
  '\ud800',
  '%00',
  '../../etc/passwd',
  'http://169.254.169.254/',
  '127.0.0.1/x',
  '[::1]:80',
  'a@b',
  '-1',
  '0',
  '65536',
  '1e999',
  '9007199254740993',
  'NaN',
  'Infinity',
  '-0',
  'null',
  'true',
  '{}',
  '[]',
  '""',
  '\\u005f\\u005fproto\\u005f\\u005f',
  '${a}',
  '${${${',
  '*a',
  '&a [*a,*a]',
  '!!js/function',
  '<<: *a',
  '[[[[[[[[[[',
  '{"a":{"a":{"a":',
  '=',
  '.',
  '/',
  ';',
  ',',
  ' ',
];
const LONGEST = 4_096;
const MOST_CHANGES = 6;

/** One of the samples, changed in a few places; the same for the same random numbers. */
export function hostileInput(samples: readonly string[], random: Random): string {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  let text = pick(samples);
  for (let n = Math.ceil(random() * MOST_CHANGES); n > 0; n--) text = change(text, pick, random);
  return text.slice(0, LONGEST);
}

function change(text: string, pick: <T>(from: readonly T[]) => T, random: Random): string {
  const at = Math.floor(random() * (text.length + 1));
  const length = Math.ceil(random() * 8);
  const [before, after] = [text.slice(0, at), text.slice(at)];
  switch (Math.floor(random() * 7)) {
    case 0:
      return before + pick(HOSTILE) + after;
    case 1:
      return before + after.slice(length);
    case 2:
      return before + String.fromCodePoint(Math.floor(random() * 0x300)) + after.slice(1);
    case 3:
      return before + text.slice(at, at + length).repeat(Math.ceil(random() * 50)) + after;
    case 4:
      return replaceValue(text, pick);
    case 5:
      return replaceName(text, pick);
    default:
      return before;
  }
}

/** A value of a JSON document becomes one of another type. */
function replaceValue(text: string, pick: <T>(from: readonly T[]) => T): string {
  const values = [...text.matchAll(/:\s*("(?:[^"\\]|\\.)*"|-?\d+|true|false|null|\[\]|\{\})/g)];
  if (values.length === 0) return text + pick(HOSTILE);
  const { index, 0: whole } = pick(values);
  const other = pick([
    'null',
    '-1',
    '1e400',
    '"\\u0000"',
    '[]',
    '{}',
    '[null]',
    'true',
    '{"__proto__":{"polluted":1}}',
    '99999999999999999999',
  ]);
  return `${text.slice(0, index)}:${other}${text.slice(index + whole.length)}`;
}

/** The name of a field becomes another. */
function replaceName(text: string, pick: <T>(from: readonly T[]) => T): string {
  const names = [...text.matchAll(/"(\w+)"\s*:/g)];
  if (names.length === 0) return pick(HOSTILE) + text;
  const { index, 0: whole } = pick(names);
  return `${text.slice(0, index)}${JSON.stringify(pick(HOSTILE))}:${text.slice(index + whole.length)}`;
}
