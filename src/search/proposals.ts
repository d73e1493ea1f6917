// Which parameters trial k has: a pure function of the search's declaration and k.
import { wholeNumber } from '../checks.js';
import { AnnealError } from '../errors.js';
import type { JsonValue } from '../io/json.js';
import { active, type Chosen, checkSpace, drawValues, gridValues, type Space, spaceJson } from './space.js';

export interface Proposals {
  readonly count: number;
  /** The declaration: a log is taken up by a search of the same one. The number of trials is no part of it. */
  readonly declaration: JsonValue;
  parameters(k: number): Chosen;
}

/** @throws E_ARGUMENT */
export function randomProposals(space: Space, seed: number, trials: number): Proposals {
  checkSpace('random', space);
  wholeNumber('random', 'trials', trials, 0);
  wholeNumber('random', 'seed', seed, 0);
  return {
    count: trials,
    declaration: { kind: 'random', seed, space: spaceJson(space) },
    parameters: (k) => drawValues(space, seed, k),
  };
}

/** More trials than anyone can wait for. */
const MOST = 1e6;

/** The points of each parameter: the same number for all that are numbers, or one by name. */
export type GridPoints = number | Readonly<Record<string, number>>;

/** Every combination, the last parameter changing fastest; a parameter that is left out adds none. @throws E_ARGUMENT, E_RANGE */
export function gridProposals(space: Space, points: GridPoints | undefined): Proposals {
  checkSpace('grid', space);
  if (typeof points === 'number') wholeNumber('grid', 'points', points);
  const byName = typeof points === 'object' ? points : {};
  for (const [name, count] of Object.entries(byName)) {
    wholeNumber('grid', `points of ${name}`, count);
    if (!Object.hasOwn(space, name)) {
      const names = Object.keys(space).join(', ');
      throw new AnnealError('E_ARGUMENT', `grid: expected points of ${names}, received '${name}'`);
    }
  }
  let combinations: Chosen[] = [{}];
  for (const [name, parameter] of Object.entries(space)) {
    const plain = parameter.kind === 'when' ? parameter.parameter : parameter;
    const values = gridValues(name, plain, typeof points === 'number' ? points : byName[name]);
    combinations = combinations.flatMap((chosen) =>
      active(parameter, chosen) === null ? [chosen] : values.map((value) => ({ ...chosen, [name]: value })),
    );
    if (combinations.length > MOST)
      throw new AnnealError('E_RANGE', `grid: expected at most ${MOST} trials, received more; use fewer points`);
  }
  return {
    count: combinations.length,
    declaration: { kind: 'grid', points: typeof points === 'number' ? points : { ...points }, space: spaceJson(space) },
    parameters: (k) => combinations[k] ?? {},
  };
}
