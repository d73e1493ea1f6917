// Positions of a dataset's examples, cut into parts at random.
import { AnnealError } from '../errors.js';
import { checkWhole } from './batch.js';
import { permutation } from './permutation.js';

/** Positions of each class, in order of the classes; of all examples as one class without labels. */
function byClass(length: number, labels: ArrayLike<number> | undefined): number[][] {
  const classes = new Map<number, number[]>();
  for (let position = 0; position < length; position += 1) {
    const label = labels?.[position] ?? 0;
    const positions = classes.get(label);
    if (positions) positions.push(position);
    else classes.set(label, [position]);
  }
  return [...classes].sort(([a], [b]) => a - b).map(([, positions]) => positions);
}

/** All positions in a random order; with labels, class after class. */
function shuffledByClass(
  length: number,
  seed: number,
  purpose: string,
  labels: ArrayLike<number> | undefined,
): number[][] {
  return byClass(length, labels).map((positions, index) =>
    Array.from(permutation(positions.length, seed, purpose, index), (place) => positions[place] ?? 0),
  );
}

const ascendingOrder = (a: number, b: number): number => a - b;

/**
 * A random round(fraction N) of the positions and the rest, both ascending; with labels, of each class its share, within one
 * example.
 * @throws AnnealError E_RANGE when fraction is not within 0..1.
 */
export function splitPositions(
  length: number,
  fraction: number,
  seed: number,
  labels: ArrayLike<number> | undefined,
): [number[], number[]] {
  if (!(fraction >= 0 && fraction <= 1)) {
    throw new AnnealError('E_RANGE', `dataset: expected a fraction within 0..1, received ${fraction}`);
  }
  const chosen: number[] = [];
  const rest: number[] = [];
  let before = 0;
  for (const positions of shuffledByClass(length, seed, 'split', labels)) {
    const count = Math.round(fraction * (before + positions.length)) - Math.round(fraction * before);
    positions.forEach((position, place) => void (place < count ? chosen : rest).push(position));
    before += positions.length;
  }
  return [chosen.sort(ascendingOrder), rest.sort(ascendingOrder)];
}

/**
 * k parts of the positions, each ascending, whose sizes differ by at most one; with labels, so do each class's.
 * @throws AnnealError E_RANGE when k is not a whole number within 2..N.
 */
export function foldPositions(
  length: number,
  k: number,
  seed: number,
  labels: ArrayLike<number> | undefined,
): number[][] {
  checkWhole(k, 'dataset: folds', 2);
  if (k > length) throw new AnnealError('E_RANGE', `dataset: expected at most ${length} folds, received ${k}`);
  const folds: number[][] = Array.from({ length: k }, () => []);
  let dealt = 0;
  for (const position of shuffledByClass(length, seed, 'folds', labels).flat()) {
    folds[dealt % k]?.push(position);
    dealt += 1;
  }
  return folds.map((fold) => fold.sort(ascendingOrder));
}
