/** Keeps what a command writes, in place of the terminal of a process: not a terminal that colours are for, and nobody to ask, unless it is told so. */
export class FakeTerminal {
  bytes: Buffer = Buffer.alloc(0);
  err = '';
  readonly isTerminal: boolean = false;
  readonly progress: ((text: string) => void) | undefined = undefined;
  readonly confirm: ((question: string) => Promise<boolean>) | undefined = undefined;
  readonly signal: AbortSignal = new AbortController().signal;

  constructor(
    readonly environment: NodeJS.ProcessEnv,
    /** In place of what it has by default. */
    changes: object = {},
  ) {
    Object.assign(this, changes);
  }

  get out(): string {
    return this.bytes.toString();
  }

  readonly print = (text: string | Uint8Array): void => {
    this.bytes = Buffer.concat([this.bytes, Buffer.from(text)]);
  };
  readonly tell = (text: string): void => {
    this.err += text;
  };
  readonly readInput = (): Promise<Buffer> => Promise.resolve(Buffer.alloc(0));
}
