/** The error that the work throws, or its promise rejects with. */
export async function thrownBy(work: Promise<unknown> | (() => unknown)): Promise<Error> {
  try {
    await (typeof work === 'function' ? work() : work);
  } catch (error) {
    return error as Error;
  }
  throw new Error('it did not throw');
}
