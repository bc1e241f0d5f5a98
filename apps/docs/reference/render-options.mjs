// Sections of options, as Markdown.

/** @param {readonly import('./option-sections.mjs').Section[]} sections */
export function renderOptions(sections) {
  return sections.map(renderSection).join('\n\n');
}

function renderSection({ title, text, options, elsewhere }) {
  const others = elsewhere.map(
    (each) => `- ${each.text}: ${each.keys.map((key) => `\`${key}\``).join(', ')}.`,
  );
  const list = [...options.map(renderOption), ...others].join('\n');
  return [`## ${title}`, text, list].filter((part) => part !== '').join('\n\n');
}

function renderOption({ name, values, isRequired, default: value, text }) {
  const without = value === undefined ? (isRequired ? '; required' : '') : `; default: ${value}`;
  return `- \`${name}\`: ${values}${without}.${text === '' ? '' : `\n  ${text}`}`;
}
