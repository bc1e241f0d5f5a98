import { ConfigTree } from '../layers/config-tree.js';

/**
 * Merges layers, the least specific first. Objects are merged name by name, and everything else (a list, a text, `null`) is
 * replaced as a whole. Where one layer has an object and another something else, the later one wins.
 */
export function mergeLayers(layers: readonly ConfigTree[]): ConfigTree {
  const merged = new ConfigTree();
  for (const layer of layers)
    for (const { path, leaf } of layer.leaves()) merged.set(path, leaf.value, leaf.key);
  return merged;
}
