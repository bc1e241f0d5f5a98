// The events of `DiscoveryEvents`, each with its fields, and what its comment says.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const SOURCE = fileURLToPath(
  new URL('../../../libs/discovery/src/events/discovery-event.ts', import.meta.url),
);

const COMMENT = /\/\*\*(.*?)\*\//s;
/** Of an event: `family.event`. */
const NAME = /'([a-zA-Z]+\.[a-zA-Z]+)'/g;

const INTRO = `Each change of state of the app, and of what it sees of others, is an event of \`DiscoveryEvents\`, for a method with \`@OnDiscoveryEvent\`, and mostly a line of the log: [Seeing what it does](observing.md).
Beside its own fields each event has \`timestamp\`, in milliseconds since 1970, and \`sequence\`, which is 1 for the first event of the process. Names that end in \`Ms\` are milliseconds.`;

/** @param {import('./public-types.mjs').PublicTypes} types */
export function eventsPage(types) {
  const fields = new Map();
  for (const { type } of types.members(types.type('discovery/index', 'DiscoveryEvent'))) {
    const properties = type.getProperties();
    const names = types.members(types.typeOf(properties.find(({ name }) => name === 'type')));
    const others = properties.map(({ name }) => name).filter((name) => name !== 'type');
    for (const name of names) fields.set(name.type.value, others);
  }
  const families = new Map();
  for (const event of describedEvents()) {
    const [family] = event.names[0].split('.');
    families.set(family, [...(families.get(family) ?? []), event]);
  }
  const sections = [...families].map(([family, events]) => `## ${family}\n\n${events.map(row).join('\n')}`);
  return `# Events\n\n${INTRO}\n\n${sections.join('\n\n')}\n`;

  function row({ names, comment }) {
    const each = names.map((name) => {
      const own = fields.get(name).map((field) => `\`${field}\``);
      return `\`${name}\` (${own.join(', ') || 'no fields of its own'})`;
    });
    return `- ${each.join('; ')}${comment === '' ? '' : `\n  ${comment}`}`;
  }
}

/** The members of the union; one without a comment stands with the one before it, whose comment is about both. */
function describedEvents() {
  const text = readFileSync(SOURCE, 'utf8');
  const file = ts.createSourceFile(SOURCE, text, ts.ScriptTarget.ES2023, true);
  const alias = file.statements.find(
    (each) => ts.isTypeAliasDeclaration(each) && each.name.text === 'DiscoveryEvent',
  );
  const events = [];
  let end = alias.name.end;
  for (const member of alias.type.types) {
    const comment = COMMENT.exec(text.slice(end, member.getStart()))?.[1];
    end = member.end;
    const names = [...member.getText().matchAll(NAME)].map(([, name]) => name);
    if (comment === undefined) events.at(-1).names.push(...names);
    else events.push({ names, comment: comment.replaceAll(/\s*\n[\s*]*/g, ' ').trim() });
  }
  return events;
}
