// Two reports side by side.
import { type BenchReport, type BenchResult, keyOf } from './report.js';

export interface Change {
  readonly row: BenchResult;
  readonly before: BenchResult;
  /** The old time over the new one: above 1 it became faster. */
  readonly ratio: number;
  /** Whether the middle halves of the samples lie apart, and which way. */
  readonly verdict: 'faster' | 'slower' | 'same';
}

export interface Comparison {
  readonly changes: readonly Change[];
  /** Rows of one report that the other does not have, by key. */
  readonly onlyOld: readonly string[];
  readonly onlyNew: readonly string[];
  /** What differs between the machines, each as `name: old, new`. Empty where the times mean the same. */
  readonly machines: readonly string[];
}

const told = ['cpu', 'cores', 'isa', 'node'] as const;

function verdictOf(before: BenchResult, row: BenchResult): Change['verdict'] {
  if (row.msQ3 < before.msQ1) return 'faster';
  return row.msQ1 > before.msQ3 ? 'slower' : 'same';
}

export function compareReports(old: BenchReport, now: BenchReport): Comparison {
  const before = new Map(old.results.map((row) => [keyOf(row), row]));
  const keys = new Set(now.results.map(keyOf));
  return {
    changes: now.results.flatMap((row) => {
      const found = before.get(keyOf(row));
      if (found === undefined) return [];
      return [{ row, before: found, ratio: found.msMedian / row.msMedian, verdict: verdictOf(found, row) }];
    }),
    onlyOld: [...before.keys()].filter((key) => !keys.has(key)),
    onlyNew: [...keys].filter((key) => !before.has(key)),
    machines: told.flatMap((name) => {
      const [a, b] = [old.machine[name], now.machine[name]];
      return a === b ? [] : [`${name}: ${a}, ${b}`];
    }),
  };
}
