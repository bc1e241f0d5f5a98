import { describe, expect, it } from '@jest/globals';
import type { ServiceCatalog } from '../catalog/service-catalog.js';
import { callerZones } from './caller-zones.js';

const catalogWith = (zones: readonly (string | undefined)[] | undefined, isClosed = false) => {
  const opened: string[] = [];
  const open = (name: string) => {
    opened.push(name);
    return { touch: () => zones && { usable: zones.map((zone) => ({ zone })) } };
  };
  return { opened, catalog: { isClosed, open } as unknown as ServiceCatalog };
};
const own = { name: 'storefront' };

describe('callerZones', () => {
  it('counts the instances of this app by their zones', () => {
    const { catalog, opened } = catalogWith(['a', 'b', 'a', undefined]);
    const { zone, callers } = callerZones(catalog, own, 'a');
    expect(zone).toBe('a');
    expect(callers()).toEqual(
      new Map([
        ['a', 2],
        ['b', 1],
        ['', 1],
      ]),
    );
    expect(opened).toEqual(['storefront']);
  });

  it('knows nothing without a zone, a name, a list or a catalog', () => {
    expect(callerZones(catalogWith(['a']).catalog, own, undefined).callers()).toBeUndefined();
    expect(callerZones(catalogWith(['a']).catalog, undefined, 'a').callers()).toBeUndefined();
    expect(callerZones(catalogWith(['a'], true).catalog, own, 'a').callers()).toBeUndefined();
    expect(callerZones(catalogWith([]).catalog, own, 'a').callers()).toBeUndefined();
    expect(callerZones(catalogWith(undefined).catalog, own, 'a').callers()).toBeUndefined();
  });
});
