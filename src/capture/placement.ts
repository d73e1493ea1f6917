// Places temporaries in one arena: two that are needed at the same time never overlap.

export interface Lifetime {
  readonly bytes: number;
  /** Indices of the first and the last op that touches it. */
  readonly first: number;
  readonly last: number;
}

export interface Placement {
  /** Of each, in the order given. */
  readonly offsets: readonly number[];
  readonly bytes: number;
}

/** A line of a cache; the largest vector too. */
const ALIGNMENT = 64;

const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/**
 * Greedy by size: the largest first, each at the lowest offset that is free while it lives. Pisarchyk and Lee, "Efficient
 * memory management for deep neural net inference", arXiv:2001.03288.
 */
export function place(lifetimes: readonly Lifetime[]): Placement {
  const offsets = new Array<number>(lifetimes.length).fill(0);
  const order = lifetimes
    .map((_, i) => i)
    .sort((a, b) => (lifetimes[b]?.bytes ?? 0) - (lifetimes[a]?.bytes ?? 0) || a - b);
  const placed: { from: number; to: number; first: number; last: number }[] = [];
  let total = 0;
  for (const i of order) {
    const lifetime = lifetimes[i];
    if (lifetime === undefined) continue;
    const size = aligned(lifetime.bytes);
    let at = 0;
    for (const other of placed) {
      if (other.first > lifetime.last || other.last < lifetime.first) continue;
      if (other.from >= at + size) break;
      at = Math.max(at, other.to);
    }
    offsets[i] = at;
    total = Math.max(total, at + size);
    const next = placed.findIndex(({ from }) => from > at);
    placed.splice(next < 0 ? placed.length : next, 0, {
      from: at,
      to: at + size,
      first: lifetime.first,
      last: lifetime.last,
    });
  }
  return { offsets, bytes: total };
}
