/** @throws Error with the position, and without the content, which may be secret */
export function parseJsonDocument(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // eslint-disable-next-line preserve-caught-error -- it quotes the text
    throw new Error(`not valid JSON${positionIn(text, String(error))}`);
  }
}

/** Node's message contains the position in one of several forms, and a part of the text. */
function positionIn(text: string, message: string): string {
  const offset = /at position (\d+)/.exec(message)?.[1];
  if (offset === undefined) return /end of JSON input/i.test(message) ? ': it ends too early' : '';
  const before = text.slice(0, Number(offset)).split('\n');
  return ` at line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
}
