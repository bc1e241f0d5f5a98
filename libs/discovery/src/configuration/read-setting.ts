import type { OptionIssue } from './validate-options.js';

/**
 * Reads what a setting names, such as a file.
 *
 * @param expected what it must be, for the issue
 * @param issues gets one when it cannot be read
 */
export function readSetting<T>(
  { field, value }: { readonly field: string; readonly value: string },
  expected: string,
  read: () => T,
  issues: OptionIssue[],
): T | undefined {
  try {
    return read();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = code === 'ENOENT' ? 'it does not exist' : (code ?? 'it cannot be read');
    issues.push({ field, value: JSON.stringify(value), hint: `must be ${expected}, but ${reason}` });
    return undefined;
  }
}
