// What JavaScript does while a profile is taken. Without one, a span costs a look at a field.

export interface Tracer {
  /** Milliseconds, on the clock of `performance.now()`. */
  now(): number;
  /** This thread begins something now, which `did` ends; gives the time. */
  began(name: string): number;
  /** This thread did something from `start` until now; what it did within is within. */
  did(name: string, start: number): void;
  /** Something was waited for from `start` until now, while this thread did other things. */
  awaited(name: string, start: number): void;
}

/** The profile that is taken now, or null. */
export const tracing: { by: Tracer | null } = { by: null };

/** Does `fn`, as a span by this name. */
export function span<T>(name: string, fn: () => T): T {
  const { by } = tracing;
  if (by === null) return fn();
  const start = by.began(name);
  try {
    return fn();
  } finally {
    by.did(name, start);
  }
}

/** The same items; waiting for each is a span by this name. */
export function awaiting<T>(name: string, items: Iterable<T> | AsyncIterable<T>): Iterable<T> | AsyncIterable<T> {
  return tracing.by === null ? items : awaitingEach(name, items);
}

async function* awaitingEach<T>(name: string, items: Iterable<T> | AsyncIterable<T>): AsyncGenerator<T> {
  let start = tracing.by?.now() ?? 0;
  for await (const item of items) {
    tracing.by?.awaited(name, start);
    yield item;
    start = tracing.by?.now() ?? 0;
  }
}
