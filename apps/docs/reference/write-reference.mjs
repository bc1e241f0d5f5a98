// `npm run reference`: writes the pages that are made from what is built. With --check it writes nothing, and fails if a committed page differs.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { commandPage } from './command.mjs';
import { eventsPage } from './events.mjs';
import { NOT_LISTED, OPTION_PAGES } from './option-pages.mjs';
import { OptionSections } from './option-sections.mjs';
import { PublicTypes } from './public-types.mjs';
import { renderOptions } from './render-options.mjs';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const isCheck = process.argv.includes('--check');

const entries = [...new Set(OPTION_PAGES.flatMap(({ roots }) => roots.map(({ entry }) => entry)))];
const types = new PublicTypes(entries);
const described = new Set(NOT_LISTED);
const optionPages = OPTION_PAGES.map(({ file, title, text, roots }) => {
  const page = new OptionSections(types);
  for (const root of roots) page.add(root);
  for (const name of page.names) described.add(name);
  return { file, content: `# ${title}\n\n${text}\n\n${renderOptions(page.sections)}\n` };
});

const silent = [...new Set(entries.flatMap((entry) => types.optionNames(entry)))].filter(
  (name) => !described.has(name),
);
if (silent.length > 0)
  throw new Error(
    `no page has the options of ${silent.join(', ')}: add them to option-pages.mjs, or to NOT_LISTED`,
  );

const pages = [
  ...optionPages,
  { file: 'libs/discovery/docs/events.md', content: eventsPage(types) },
  { file: 'libs/consul/docs/command.md', content: commandPage(read(`${ROOT}libs/consul/docs/command.md`)) },
];

for (const { file, content } of pages) {
  const path = `${ROOT}${file}`;
  const page = await format(content, { ...(await resolveConfig(path)), filepath: path });
  const before = read(path);
  if (page === before) console.log(`unchanged  ${file}`);
  else if (isCheck) {
    console.error(`DIFFERS    ${file}: run \`npm run reference\`, read the diff, and commit it`);
    process.exitCode = 1;
  } else {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, page);
    console.log(`written    ${file}`);
  }
}

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
