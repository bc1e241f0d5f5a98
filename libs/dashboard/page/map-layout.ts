import {
  forceCenter,
  forceCollide,
  forceLink,
  forceManyBody,
  forceSimulation,
  type SimulationNodeDatum,
} from 'd3-force';
import type { Edge } from './model.js';

export interface Place extends SimulationNodeDatum {
  readonly name: string;
}

/** Above this many a map of forces is a ball of wool: they are set in rows. */
const MOST_FORCED = 60;
const TICKS = 200;

/** How high the map is, which is 1000 wide: few services need no square. */
export function heightOf(count: number): number {
  return count <= 2 ? 340 : count <= 5 ? 620 : 1_000;
}

/** Where each service is on the map; those that were there before stay about there. */
export function placesOf(
  names: readonly string[],
  edges: readonly Edge[],
  before: ReadonlyMap<string, Place>,
): ReadonlyMap<string, Place> {
  if (names.length > MOST_FORCED) return rows(names);
  const places = names.map((name, index): Place => {
    const known = before.get(name);
    const angle = (index / Math.max(1, names.length)) * 2 * Math.PI;
    return { name, x: known?.x ?? 500 + 250 * Math.cos(angle), y: known?.y ?? 500 + 250 * Math.sin(angle) };
  });
  const known = new Set(names);
  const links = edges
    .filter(({ from, to }) => known.has(from) && known.has(to))
    .map(({ from, to }) => ({ source: from, target: to }));
  const simulation = forceSimulation(places)
    .force('charge', forceManyBody().strength(-2_500))
    .force(
      'link',
      forceLink<Place, { source: string | Place; target: string | Place }>(links)
        .id(({ name }) => name)
        .distance(260),
    )
    .force('center', forceCenter(500, 500))
    .force('collide', forceCollide(90))
    .stop();
  // At once, in memory: what moves while one looks at it cannot be clicked.
  simulation.tick(TICKS);
  return new Map(fitted(places, heightOf(names.length)).map((place) => [place.name, place]));
}

function fitted(places: readonly Place[], height: number): readonly Place[] {
  const xs = places.map(({ x = 0 }) => x);
  const ys = places.map(({ y = 0 }) => y);
  const fit = (values: readonly number[], size: number): ((value: number) => number) => {
    const [least, most] = [Math.min(...values), Math.max(...values)];
    const span = most - least;
    return (value) => (span < 1 ? size / 2 - 20 : 90 + ((value - least) / span) * (size - 200));
  };
  const [fitX, fitY] = [fit(xs, 1_000), fit(ys, height)];
  return places.map((place) => ({ ...place, x: fitX(place.x ?? 0), y: fitY(place.y ?? 0) }));
}

function rows(names: readonly string[]): ReadonlyMap<string, Place> {
  const perRow = Math.ceil(Math.sqrt(names.length));
  const step = 920 / Math.max(1, perRow - 1);
  return new Map(
    names.map((name, index) => [
      name,
      { name, x: 40 + (index % perRow) * step, y: 40 + Math.floor(index / perRow) * step },
    ]),
  );
}
