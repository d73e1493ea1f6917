// The table that tells the update how each parameter is treated (kernels/common/segments.h): written again only when a value of
// it has changed.
import { type Rate, rateAt, type Schedule } from '../schedule/index.js';
import type { ParameterArena } from './arena.js';
import type { Treatment } from './groups.js';

/** Words of a row. */
export const ROW = 8;
const FROZEN = 1;

export class SegmentTable {
  readonly #arena: ParameterArena;
  readonly #treatments: readonly Treatment[];
  /** Whether its values depend on the step. */
  readonly scheduled: boolean;
  #written: Int32Array | null = null;
  /** Whether a value was changed by hand since. */
  #stale = true;
  #skipped: readonly boolean[] = [];
  #frozenChanges = 0;

  constructor(arena: ParameterArena, treatments: readonly Treatment[]) {
    this.#arena = arena;
    this.#treatments = treatments;
    this.scheduled = treatments.some(
      (each) => typeof each.lrScale !== 'number' || typeof each.weightDecay !== 'number',
    );
  }

  isFrozen(index: number): boolean {
    return this.#treatments[index]?.frozen ?? false;
  }

  /** Counts changes of what is frozen: a captured step holds for one. */
  get frozenChanges(): number {
    return this.#frozenChanges;
  }

  freeze(index: number, frozen: boolean): void {
    const treatment = this.#treatments[index];
    if (treatment) treatment.frozen = frozen;
    this.#frozenChanges++;
  }

  scaleRate(index: number, factor: number): void {
    const treatment = this.#treatments[index];
    if (treatment) treatment.factor *= factor;
    this.#stale = true;
  }

  /** What scaleRate has made of the rates, by parameter; 1 where there is none. */
  get rateFactors(): Readonly<Record<string, number>> {
    const named = this.#arena.segments.map(({ name }, i) => [name, this.#treatments[i]?.factor ?? 1] as const);
    return Object.fromEntries(named.filter(([, factor]) => factor !== 1));
  }

  set rateFactors(factors: Readonly<Record<string, number>>) {
    const byName = new Map(Object.entries(factors));
    this.#arena.segments.forEach(({ name }, i) => {
      const treatment = this.#treatments[i];
      if (treatment) treatment.factor = byName.get(name) ?? 1;
    });
    this.#stale = true;
  }

  /** Makes the table that of step t, in which segment i stands still where `skipped[i]`. */
  write(t: number, skipped: readonly boolean[]): void {
    const sameSkipped = skipped === this.#skipped || skipped.every((skip, i) => skip === this.#skipped[i]);
    if (!this.#stale && !this.scheduled && sameSkipped) return;
    this.#stale = false;
    this.#skipped = skipped;
    const words = this.#words(t, skipped);
    const before = this.#written;
    if (before !== null && words.every((word, i) => word === before[i])) return;
    this.#arena.table.write(words);
    this.#written = words;
  }

  #words(t: number, skipped: readonly boolean[]): Int32Array {
    const { segments } = this.#arena;
    const words = new Int32Array(segments.length * ROW);
    const floats = new Float32Array(words.buffer);
    // Of a group's schedule, once for all of its parameters.
    const known = new Map<Schedule, number>();
    const at = (rate: Rate): number => {
      if (typeof rate === 'number') return rate;
      const value = known.get(rate) ?? rateAt(rate, t);
      known.set(rate, value);
      return value;
    };
    segments.forEach(({ begin, end }, i) => {
      const { lrScale = 1, factor = 1, weightDecay = 0 } = this.#treatments[i] ?? {};
      const row = i * ROW;
      words[row] = begin;
      words[row + 1] = end;
      floats[row + 2] = at(lrScale) * factor;
      floats[row + 3] = at(weightDecay);
      words[row + 4] = skipped[i] ? FROZEN : 0;
    });
    return words;
  }
}
