/** The path of a value, one name for each level; a number is a position in a list. */
export type ConfigPath = readonly (string | number)[];

const MAX_DEPTH = 32;
const INTEGER = /^\d{1,6}$/;

/**
 * Reads `limits.rate`, `limits/rate`, `hosts[0].name` or `hosts[api.example.com].port`: dots and slashes separate levels, and
 * brackets hold a position in a list or a name that contains them.
 *
 * @throws Error with the reason, and without the text, which may be secret
 */
export function parseConfigPath(text: string): ConfigPath {
  const path: (string | number)[] = [];
  let name = '';
  // After a bracket a separator may follow, and no name is missing.
  let isClosed = false;
  const end = (): void => {
    if (name === '' && !isClosed) throw new Error('there is an empty name between separators');
    if (name !== '') path.push(assertName(name));
    name = '';
    isClosed = false;
  };
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === '.' || character === '/') end();
    else if (character === '[') {
      if (name !== '') end();
      const closing = text.indexOf(']', at);
      const inner = text.slice(at + 1, closing);
      if (closing < 0 || inner === '') throw new Error('there is a "[" without a name and "]"');
      path.push(INTEGER.test(inner) ? Number(inner) : assertName(inner));
      at = closing;
      isClosed = true;
    } else name += character;
  }
  end();
  if (path.length > MAX_DEPTH) throw new Error(`there are more than ${MAX_DEPTH} levels`);
  return path;
}

/** `limits.rate`, or `hosts[api.example.com]` where a name contains a separator. */
export function formatConfigPath(path: ConfigPath): string {
  return path
    .map((name, level) =>
      typeof name === 'number' || /[./[\]]/.test(name) ? `[${name}]` : level === 0 ? name : `.${name}`,
    )
    .join('');
}

/** An assignment to this name would change the prototype of the object. */
export function assertName(name: string): string {
  if (name !== '__proto__') return name;
  throw new Error('the name "__proto__" is not allowed; rename it');
}
