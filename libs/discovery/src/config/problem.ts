/** What is wrong with the content of a key, or with what follows from it; it holds no secret. */
export interface ConfigProblem {
  /** The key in the registry, or the path of the value where no single key is to blame. */
  readonly key: string;
  readonly reason: string;
}

/** Content that cannot be used. */
export class InvalidContent extends Error {
  constructor(
    readonly key: string,
    readonly reason: string,
  ) {
    super(`${key}: ${reason}`);
    this.name = InvalidContent.name;
  }
}
