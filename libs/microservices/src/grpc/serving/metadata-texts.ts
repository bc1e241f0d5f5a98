/** The part of the metadata of @grpc/grpc-js that is used. */
export interface ReadableMetadata {
  getMap(): Readonly<Record<string, string | Buffer>>;
}

/** Without those that are bytes. */
export function textsOf(metadata: ReadableMetadata): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const [name, value] of Object.entries(metadata.getMap()))
    if (typeof value === 'string') texts[name] = value;
  return texts;
}
