import { describe, expect, it } from '@jest/globals';
import { WatchPosition } from './watch-position.js';

describe('WatchPosition', () => {
  it('does not block before there is an index', () => {
    expect(new WatchPosition({ disconnects: 3 }).index).toBeUndefined();
  });

  it('blocks on the index of the last response', () => {
    const position = new WatchPosition({ disconnects: 0 });
    position.advance('7', false);
    expect(position.index).toBe('7');
    position.advance('9', true);
    expect(position.index).toBe('9');
  });

  it('forgets an index that went backwards', () => {
    const position = new WatchPosition({ disconnects: 0 });
    position.advance('9', false);
    position.advance('7', true);
    expect(position.index).toBeUndefined();
    position.advance('7', false);
    expect(position.index).toBe('7');
  });

  it('forgets it after a disconnect, once', () => {
    const client = { disconnects: 0 };
    const position = new WatchPosition(client);
    position.advance('9', false);
    client.disconnects++;
    expect(position.index).toBeUndefined();
    position.advance('3', false);
    expect(position.index).toBe('3');
  });

  it('forgets it when a query returned before its time without a change', () => {
    const position = new WatchPosition({ disconnects: 0 });
    position.advance('7', false);
    position.advance('7', true);
    expect(position.index).toBeUndefined();
  });

  it('keeps it when a query waited its time without a change', () => {
    const position = new WatchPosition({ disconnects: 0 });
    position.advance('7', false);
    position.advance('7', false);
    expect(position.index).toBe('7');
  });
});
