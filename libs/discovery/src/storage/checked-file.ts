import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';

const fileSchema = z.strictObject({ checksum: z.string(), content: z.string() });

/**
 * Reads what `writeCheckedFile` wrote.
 *
 * @returns undefined when there is no such file
 * @throws Error with the reason when it cannot be read, or is not complete
 */
export async function readCheckedFile(file: string): Promise<string | undefined> {
  const bytes = await readFile(file, 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
  if (bytes === undefined) return undefined;
  const parsed = fileSchema.safeParse(JSON.parse(bytes));
  if (!parsed.success) throw new Error('not a snapshot');
  const { checksum, content } = parsed.data;
  if (sha256(content) !== checksum) throw new Error('wrong checksum');
  return content;
}

/**
 * Writes a file whole and then renames it, so that no reader sees half of it, however many processes of a host write it.
 * Only their user can read it; the folder is created if it does not exist.
 */
export async function writeCheckedFile(file: string, content: string): Promise<void> {
  const temporary = `${file}.${process.pid}.${randomUUID()}`;
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(JSON.stringify({ checksum: sha256(content), content }));
      // Without it, a power failure right after the rename may leave an empty file.
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** The name of the file for a key: keys may be long, and contain slashes. */
export function fileNameFor(key: string): string {
  return `${sha256(key).slice(0, 32)}.json`;
}

function sha256(data: string): string {
  return createHash('sha256').update(data).digest('hex');
}
