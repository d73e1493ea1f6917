// The gradients of one step: gathered in the arena, clipped, measured.
import { AnnealError } from '../errors.js';
import { fill } from '../ops/creation.js';
import { clipInto } from '../ops/elementwise/unary.js';
import { sumSquaresInto } from '../ops/reduce/reduce.js';
import { copyInto } from '../ops/strided_copy/strided_copy.js';
import type { Num } from '../scalar.js';
import { effect, guard, type Recorder, recording } from '../tensor/recorder.js';
import { empty, type Tensor } from '../tensor/tensor.js';
import type { ParameterArena } from './arena.js';
import { normsOf } from './norms.js';
import type { SegmentTable } from './segment_table.js';
import type { OptimizerOptions } from './spec.js';

export class Gradients {
  readonly #arena: ParameterArena;
  readonly #table: SegmentTable;
  /** The squared norm of the gradients of the last step that clipped to one. */
  readonly #normSquared: Tensor<'f32'>;
  /** What the last step multiplied gradients by, and whether it took their norm; null before the first one. */
  #last: { readonly gradScale: number; readonly normed: boolean } | null = null;
  /** What the next step clips to; 0 for none. */
  readonly #clip = { norm: 0, value: 0 };
  /** Segments that stood still in the last step; null: there was none. */
  #skipped: readonly boolean[] | null = null;
  /** The skipped segments of a step that is being captured, and by whom. */
  #captured: { readonly by: Recorder; readonly skipped: readonly boolean[] } | null = null;

  constructor(arena: ParameterArena, table: SegmentTable) {
    this.#arena = arena;
    this.#table = table;
    this.#normSquared = arena.own(empty([], 'f32', arena.params.device));
  }

  /** Whether segment i stood still in the last step. */
  skipped(index: number): boolean {
    return this.#skipped?.[index] ?? false;
  }

  /** Makes the gradient arena hold exactly this step's gradients, and the table that of the step. */
  gather(stepOf: () => number): void {
    guard(() => this.#table.frozenChanges);
    const skipped = this.#arena.segments.map(({ parameter }, i) => {
      const slot = this.#arena.slot(i);
      guard(() => parameter.grad, parameter);
      const { grad } = parameter;
      if (this.#table.isFrozen(i) || grad === null) {
        guard(() => this.#skipped?.[i] === false, this);
        // It holds that of an earlier step.
        if (this.#skipped?.[i] === false) fill(slot, 0);
        return true;
      }
      if (grad !== slot) copyInto(slot, grad);
      return false;
    });
    const { by } = recording;
    if (by !== null) {
      // A replay writes the table once, before its ops.
      if (this.#captured?.by === by) {
        const before = this.#captured.skipped;
        if (skipped.some((skip, i) => skip !== before[i]))
          by.refuse('updates the same parameters in each step', 'one whose steps with one optimizer differ in them');
        if (this.#table.scheduled)
          by.refuse('updates once where groups or weight decay have schedules', 'one that updates several times');
      }
      this.#captured = { by, skipped };
    }
    effect(this, () => {
      this.#table.write(stepOf(), skipped);
      this.#skipped = skipped;
    });
  }

  /** The next step clips to this. @throws E_ARGUMENT unless it is positive */
  clipNext(op: string, what: 'norm' | 'value', bound: number): void {
    if (!(bound > 0)) throw new AnnealError('E_ARGUMENT', `${op}: expected a positive ${what}, received ${bound}`);
    effect(this.#clip, () => {
      this.#clip[what] = bound;
    });
  }

  /** Clips by value and takes the norm where there is one to clip to, which the update does; gives both of that. */
  clip(options: OptimizerOptions, gradScale: Num): { clipNorm: number; normSquared: Tensor<'f32'> | null } {
    const clip = this.#clip;
    guard(() => clip.norm, clip);
    guard(() => clip.value, clip);
    const clipNorm = clip.norm || (options.clipNorm ?? 0);
    const clipValue = clip.value || (options.clipValue ?? 0);
    const { grads } = this.#arena;
    // The update scales gradients after this.
    if (clipValue > 0) clipInto(grads, () => clipValue / Math.abs(Number(gradScale)));
    if (clipNorm > 0) sumSquaresInto(this.#normSquared, grads);
    effect(clip, () => {
      clip.norm = 0;
      clip.value = 0;
      this.#last = { gradScale: Number(gradScale), normed: clipNorm > 0 };
    });
    return { clipNorm, normSquared: clipNorm > 0 ? this.#normSquared : null };
  }

  /** Of the last step; NaN before it. */
  async norm(): Promise<number> {
    if (this.#last === null) return Number.NaN;
    const { gradScale, normed } = this.#last;
    if (normed) return Math.abs(gradScale) * Math.sqrt(await this.#normSquared.item());
    const [norm = 0] = await normsOf([this.#arena.grads]);
    return Math.abs(gradScale) * norm;
  }

  /** Of the last step, by segment; none before it. */
  async norms(): Promise<number[]> {
    if (this.#last === null) return [];
    const { gradScale } = this.#last;
    const norms = await normsOf(this.#arena.segments.map((_, i) => this.#arena.slot(i)));
    return norms.map((norm) => Math.abs(gradScale) * norm);
  }
}
