// The usage of the `rookery` command, as it prints it, at the end of its page.
const { USAGE } = await import('../../../libs/consul/dist/cli/usage.js');

const BEGIN = '## All commands and options\n';

/** @param {string} page as it is; what stands before the usage is written by hand */
export function commandPage(page) {
  const [written] = page.split(BEGIN);
  return `${written.trimEnd()}\n\n${BEGIN}\n\`\`\`text\n${USAGE.trim()}\n\`\`\`\n`;
}
