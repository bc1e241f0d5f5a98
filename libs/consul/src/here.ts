/**
 * The location of another file of this build, as `import()` takes it. Imported as `#here`: the CommonJS build has a file of its own,
 * since it has no `import.meta`.
 */
export function fileOf(path: string): string {
  return new URL(path, import.meta.url).href;
}
