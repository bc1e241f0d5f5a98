import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';

export interface QuestionStreams {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
  readonly signal: AbortSignal;
  /** A terminal gives Ctrl-C to the question, and not to the process. */
  readonly onInterrupt: () => void;
  /** Default: as of the output. */
  readonly terminal?: boolean;
}

/**
 * Asks for a yes; all else is a no, the end of the input too.
 *
 * @throws the reason of the signal
 */
export async function confirm(
  question: string,
  { input, output, signal, onInterrupt, terminal }: QuestionStreams,
): Promise<boolean> {
  const asked = createInterface({ input, output, ...(terminal === undefined ? {} : { terminal }) });
  asked.once('SIGINT', onInterrupt);
  try {
    const ended = once(asked, 'close').then(() => '');
    const answered = asked.question(`${question} [y/N] `, { signal });
    // Some versions of Node tell the end of the input by an error too.
    const answer = await Promise.race([ended, answered.catch((error: unknown) => raise(error, signal))]);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    asked.close();
  }
}

/** @throws the error, where it is not the end of the input */
function raise(error: unknown, { aborted, reason }: AbortSignal): string {
  if (aborted) throw reason;
  if ((error as Error).name === 'AbortError') return '';
  throw error;
}
