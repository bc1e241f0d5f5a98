import type { Metadata, MetadataOptions } from '@grpc/grpc-js';
import type { AttemptShape } from '@rookery/discovery/adapter';

/** Copies of metadata keep them, and they are never sent. */
interface ShapedOptions extends MetadataOptions {
  readonly rookeryShape: AttemptShape;
}

const UNARY: ShapedOptions = Object.freeze({ rookeryShape: 'unary' });
const STREAM: ShapedOptions = Object.freeze({ rookeryShape: 'stream' });

/** Tells the picker, which sees no more of a call than its metadata, what it is. */
export function setShape(metadata: Metadata, isStream: boolean): void {
  const shaped = isStream ? STREAM : UNARY;
  const given = metadata.getOptions();
  // Most calls have none, and need no object of their own.
  const hasOptions = Object.keys(given).length > 0;
  metadata.setOptions(hasOptions ? { ...given, ...shaped } : shaped);
}

/** Of calls without the interceptor it is not known. */
export function shapeOf(metadata: Metadata): AttemptShape {
  return (metadata.getOptions() as Partial<ShapedOptions>).rookeryShape ?? 'unknown';
}
