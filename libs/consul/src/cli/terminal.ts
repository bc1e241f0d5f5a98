/** What a command reads and writes besides Consul and files, so that tests need no process. */
export interface Terminal {
  readonly environment: NodeJS.ProcessEnv;
  /** Standard output: results. */
  print(text: string | Uint8Array): void;
  /** Whether standard output is a terminal: colours are for those only. */
  readonly isTerminal: boolean;
  /** Standard error: messages. */
  tell(text: string): void;
  /** Overwrites the last line of standard error; undefined where that is no terminal. */
  readonly progress: ((text: string) => void) | undefined;
  /** Asks a question that is answered with yes or no; undefined where nobody can be asked. */
  readonly confirm: ((question: string) => Promise<boolean>) | undefined;
  readInput(): Promise<Buffer>;
  /** Aborts at Ctrl-C. */
  readonly signal: AbortSignal;
}

/** A command could not be run: it is shown without a stack. */
export class CommandError extends Error {}

/** It was not written as it has to be. */
export class UsageError extends CommandError {}
