import { constants } from 'node:fs';
import { lstat, mkdir, readdir, readFile, realpath, writeFile } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { keyIssue } from '../client/api/kv-key.js';
import type { KvEntry } from '../client/api/types.js';
import { CommandError } from './terminal.js';

export interface FileKey {
  readonly key: string;
  /** The bytes of the file. */
  readonly content: Buffer;
}

/** Keys whose values are documents. */
export const DOCUMENT = /\.(ya?ml|json|properties)$/;

/** The files of a folder as keys: `inventory/limits/rate` is the key `config/inventory/limits/rate`. Hidden files are left out. */
export async function readKeyFolder(
  folder: string,
  prefix: string,
): Promise<{ keys: FileKey[]; hidden: string[] }> {
  const keys: FileKey[] = [];
  const hidden: string[] = [];
  const visit = async (directory: string): Promise<void> => {
    const names = await readdir(directory).catch((error: unknown) => {
      const { code } = error as NodeJS.ErrnoException;
      throw new CommandError(
        `${directory}: ${code === 'ENOENT' ? 'there is no such folder' : (code ?? String(error))}`,
      );
    });
    for (const name of names.sort()) {
      const path = join(directory, name);
      if (name.startsWith('.')) {
        hidden.push(path);
        continue;
      }
      const status = await lstat(path);
      if (status.isDirectory()) await visit(path);
      else if (status.isFile())
        keys.push({ key: keyOfFile(folder, path, prefix), content: await readFile(path) });
      else throw new CommandError(`${path} is neither a file nor a folder; links are not followed`);
    }
  };
  await visit(folder);
  return { keys, hidden };
}

function keyOfFile(folder: string, path: string, prefix: string): string {
  const key = `${prefix === '' ? '' : `${prefix}/`}${relative(folder, path).split(sep).join('/')}`;
  const issue = keyIssue(key);
  if (issue === undefined) return key;
  throw new CommandError(`${path}: the key ${JSON.stringify(key)} ${issue}; rename the file`);
}

/** Editors end a file with a line break, which is no part of a value; a document may keep it. */
export function valueOfFile({ key, content }: FileKey): Buffer {
  if (DOCUMENT.test(key)) return content;
  const text = content.toString('latin1');
  return content.subarray(0, text.length - (/\r?\n$/.exec(text)?.[0].length ?? 0));
}

/** The opposite: what a file has to contain so that its value is this one. */
function contentOf({ key, value }: KvEntry): Buffer {
  return DOCUMENT.test(key) ? value : Buffer.concat([value, Buffer.from('\n')]);
}

/** A file path for each key; folders, which are keys that end with a slash, have none. */
export function filesOf(entries: readonly KvEntry[], prefix: string): Map<string, KvEntry> {
  const files = new Map<string, KvEntry>();
  const start = prefix === '' ? '' : `${prefix}/`;
  for (const entry of entries) {
    if (entry.key.endsWith('/')) continue;
    const path = entry.key.slice(start.length);
    if (path.split('/').some((name) => name === '' || name === '.' || name === '..' || /[\\:\0]/.test(name)))
      throw new CommandError(`the key ${JSON.stringify(entry.key)} cannot be a file`);
    if (path.split('/').some((name) => name.startsWith('.')))
      throw new CommandError(
        `the key ${JSON.stringify(entry.key)} would be a hidden file, which import leaves out`,
      );
    files.set(path, entry);
  }
  for (const path of files.keys()) {
    const parents = path.split('/').slice(0, -1);
    const parent = parents
      .map((_, end) => parents.slice(0, end + 1).join('/'))
      .find((name) => files.has(name));
    if (parent !== undefined)
      throw new CommandError(
        `the keys ${start}${parent} and ${start}${path} cannot both be files; delete one of them`,
      );
  }
  return files;
}

/**
 * Writes the files; those with another content are overwritten only with `force`. Nothing is written when one of them cannot be, and no link
 * is followed: it might lead out of the folder.
 */
export async function writeKeyFolder(
  folder: string,
  files: ReadonlyMap<string, KvEntry>,
  force: boolean,
): Promise<{ written: number; unchanged: number }> {
  await mkdir(folder, { recursive: true });
  const root = await realpath(folder);
  const toWrite: [string, Buffer][] = [];
  const different: string[] = [];
  for (const [path, entry] of files) {
    const content = contentOf(entry);
    await assertFolders(root, dirname(path));
    const file = join(root, path);
    const status = await lstat(file).catch(() => undefined);
    if (status && !status.isFile()) throw new CommandError(`${file} is no file; remove it`);
    const present = status && (await readFile(file));
    if (present?.equals(content)) continue;
    if (present && !present.equals(entry.value)) different.push(path);
    toWrite.push([file, content]);
  }
  if (different.length > 0 && !force) {
    throw new CommandError(
      `${folder} has other contents of ${different.slice(0, 5).join(', ')}${different.length > 5 ? ', …' : ''}; --force overwrites them`,
    );
  }
  for (const [file, content] of toWrite) {
    await mkdir(dirname(file), { recursive: true });
    const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;
    await writeFile(file, content, { mode: 0o600, flag: O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW });
  }
  return { written: toWrite.length, unchanged: files.size - toWrite.length };
}

/** Each part of the path is a real folder, or is not there yet. */
async function assertFolders(root: string, path: string): Promise<void> {
  let at = root;
  for (const name of path === '.' ? [] : path.split('/')) {
    at = join(at, name);
    const status = await lstat(at).catch(() => undefined);
    if (!status) return;
    if (!status.isDirectory()) throw new CommandError(`${at} is no folder; remove it`);
  }
}
