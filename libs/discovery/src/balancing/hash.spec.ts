import { describe, expect, it } from '@jest/globals';
import { hash, mix } from './hash.js';

const U32 = 0xffff_ffffn;

/** The same by the text of its sources, in integers without a limit. */
function mixed(value: bigint): number {
  let state = value & U32;
  state = ((state ^ (state >> 16n)) * 0x85eb_ca6bn) & U32;
  state = ((state ^ (state >> 13n)) * 0xc2b2_ae35n) & U32;
  return Number((state ^ (state >> 16n)) & 0x7fff_ffffn);
}

function hashed(text: string, seed: bigint): number {
  const units = Array.from({ length: text.length }, (_, at) => BigInt(text.charCodeAt(at)));
  return mixed(units.reduce((state, unit) => ((state ^ unit) * 0x0100_0193n) & U32, 0x811c_9dc5n ^ seed));
}

// All clients of a service have to agree on it.
describe('hash', () => {
  it('is FNV-1a with the finalizer of MurmurHash3, on every client', () => {
    const texts = ['', 'a', 'foobar', 'tenant-42', 'Zürich 🗝', 'x'.repeat(100)];
    for (const text of texts)
      for (const seed of [0, 1, 2, 12_345])
        expect([text, seed, hash(text, seed)]).toEqual([text, seed, hashed(text, BigInt(seed))]);
    expect(hash('foobar')).toBe(hash('foobar', 0));
  });

  it('mixes a hash again', () => {
    for (const value of [0, 1, 2, 0x7fff_ffff, 123_456_789]) expect(mix(value)).toBe(mixed(BigInt(value)));
  });
});
