import { Metadata } from '@grpc/grpc-js';
import { describe, expect, it } from '@jest/globals';
import { setShape, shapeOf } from './call-shape.js';

describe('the shape of a call', () => {
  it.each([
    [false, 'unary'],
    [true, 'stream'],
  ])('reaches the picker through copies of the metadata (stream: %s)', (isStream, shape) => {
    const metadata = new Metadata();
    setShape(metadata, isStream);
    expect(shapeOf(metadata.clone().clone())).toBe(shape);
  });

  it('is not sent', () => {
    const metadata = new Metadata();
    setShape(metadata, true);
    expect(metadata.toHttp2Headers()).toEqual({});
  });

  it('leaves the options of the caller as they are', () => {
    const given = { waitForReady: true };
    const metadata = new Metadata(given);
    setShape(metadata, false);
    expect(metadata.getOptions()).toMatchObject({ waitForReady: true });
    expect(shapeOf(metadata)).toBe('unary');
    expect(given).toEqual({ waitForReady: true });
  });

  it('is not known of a call without the interceptor', () => {
    expect(shapeOf(new Metadata({ waitForReady: true }))).toBe('unknown');
  });
});
