/** What a run of the tests without a mutant tells of one of them. */
export interface ObservedTest {
  readonly name: string;
  readonly tookMs: number;
  /** Of its suite. */
  readonly file: string;
  /** The mutants that it comes to, and how often. */
  readonly covered: readonly (readonly [mutant: number, times: number])[];
  /** Why it fails without any mutant. */
  readonly failure: string | undefined;
}

/** It reads a file that is not among the compiled ones. */
export interface UnusableSuite {
  readonly file: string;
  readonly reason: string;
}

export interface TestedMutant {
  /** 0: none, to see that the tests still pass. */
  readonly mutant: number;
  /** How often a test may come to it. */
  readonly limit: number;
  /** In the order in which they are run, until one fails. */
  readonly tests: readonly number[];
  /** For each test. */
  readonly timeoutMs: number;
}

export interface Loading {
  readonly type: 'load';
  /** Files of compiled tests. */
  readonly suites: readonly string[];
  /** Runs each test once, which may take so long, to see what it comes to; undefined: it does not. */
  readonly observesForMs: number | undefined;
}

export type TesterRequest = Loading | ({ readonly type: 'test' } & TestedMutant);

export type TesterReply =
  | {
      readonly type: 'loaded';
      readonly tests: readonly ObservedTest[];
      readonly unusable: readonly UnusableSuite[];
      readonly atImport: readonly number[];
    }
  /** The test that failed; undefined: none did. */
  | { readonly type: 'tested'; readonly failed: number | undefined }
  | { readonly type: 'failed'; readonly reason: string };
