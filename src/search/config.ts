// A search as a value: what `npx anneal search FILE` runs.
import type { GridPoints } from './proposals.js';
import type { SearchOptions } from './search.js';
import type { Space } from './space.js';

export interface SearchConfig<S extends Space = Space> extends Omit<SearchOptions<S>, 'show' | 'signal'> {
  /** Of a random search; without it, it is a grid. */
  readonly trials?: number;
  /** Of a random search. Default 0. */
  readonly seed?: number;
  /** Of a grid. */
  readonly points?: GridPoints;
}

/**
 * The configuration itself: for types in a file that `npx anneal search` runs. Its workers load that file, too, so the objective may be a
 * function.
 */
export function defineSearch<const S extends Space>(config: SearchConfig<S>): SearchConfig<S> {
  return config;
}
