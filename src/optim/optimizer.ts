// An optimizer: a spec bound to a model's parameters.
import { span } from '../backend/tracing.js';
import { AnnealError } from '../errors.js';
import type { JsonValue } from '../io/json.js';
import { fill } from '../ops/creation.js';
import { sumSquaresInto } from '../ops/reduce/reduce.js';
import { copyInto } from '../ops/strided_copy/strided_copy.js';
import type { Num } from '../scalar.js';
import { rateAt, type ScheduleJson } from '../schedule/index.js';
import { effect, guard, type Recorder, recording } from '../tensor/recorder.js';
import { empty, type Tensor } from '../tensor/tensor.js';
import { ParameterArena } from './arena.js';
import { type Match, matches, type Treatment, treatments } from './groups.js';
import { plain } from './plain.js';
import type { OptimizerOptions, OptimizerSpec, StepValues } from './spec.js';
import { decodeState, encodeState, type OptimizerState, type StateBuffers } from './state.js';

export type { OptimizerSpec } from './spec.js';

export interface StepOptions {
  /** In place of the optimizer's learning rate, for this step. */
  readonly lr?: Num;
  /** Multiplies every gradient first: the reciprocal of a loss scale, or of the number of accumulated batches. Default 1. */
  readonly gradScale?: Num;
}

export class Optimizer {
  readonly spec: OptimizerSpec;
  readonly arena: ParameterArena;
  readonly #treatments: Treatment[];
  readonly #state: readonly Tensor<'f32'>[];
  readonly #ema: Tensor<'f32'> | null;
  readonly #stats: Tensor<'f32'>;
  /** Per segment, in the parameter's shape: where weights and their average lie. */
  readonly #weightViews: readonly Tensor<'f32'>[];
  readonly #emaViews: readonly Tensor<'f32'>[];
  /** Segments that stood still when the table was last written; null: it was not. */
  #skipped: readonly boolean[] | null = null;
  /** The squared norm of the gradients of the last clipped step. */
  readonly #normSquared: Tensor<'f32'>;
  /** What that step multiplied them by; null when none was clipped. */
  #normScale: number | null = null;
  /** A norm the next step clips to; 0 for none. */
  readonly #clip = { to: 0 };
  /** The skipped segments of a step that is being captured, and by whom. */
  #captured: { readonly by: Recorder; readonly skipped: readonly boolean[] } | null = null;
  #count = 0;
  /** Counts changes of what is frozen: a captured step holds for one. */
  #treated = 0;
  #usingEma = false;
  #disposed = false;

  /** @throws E_ARGUMENT when a parameter belongs to another optimizer or a group matches nothing */
  constructor(spec: OptimizerSpec, parameters: Iterable<readonly [string, Tensor<'f32'>]>) {
    const { options, rule, kind } = spec;
    const named = new Map(parameters);
    const byName = treatments(kind, named, options.weightDecay ?? 0, options.groups ?? []);
    this.spec = spec;
    this.arena = new ParameterArena(named);
    this.#treatments = this.arena.segments.map(
      ({ name }) => byName.get(name) ?? { lrScale: 1, weightDecay: 0, frozen: false },
    );
    try {
      this.#state = rule.state.map(() => this.arena.allocate());
      this.#ema = options.ema === undefined ? null : this.arena.allocate();
      this.#stats = this.arena.own(empty([this.arena.segments.length, 2], 'f32', this.arena.params.device));
      this.#normSquared = this.arena.own(empty([], 'f32', this.arena.params.device));
    } catch (error) {
      this.arena.dispose();
      throw error;
    }
    this.#weightViews = this.arena.segments.map((segment) => this.arena.view(this.arena.params, segment));
    const ema = this.#ema;
    this.#emaViews = ema === null ? [] : this.arena.segments.map((segment) => this.arena.view(ema, segment));
    this.resetEma();
    this.#treatments.forEach(({ frozen }, i) => {
      if (frozen) this.arena.detach(i);
    });
  }

  /** Updates done. */
  get stepCount(): number {
    return this.#count;
  }

  /** The learning rate at step t; by default that of the next step. */
  lr(t: number = this.#count): number {
    return rateAt(this.spec.options.lr, t);
  }

  /** The learning rate's schedule, for `schedule.fromJSON`; null if the rate is a number. */
  get schedule(): ScheduleJson | null {
    const { lr } = this.spec.options;
    return typeof lr === 'number' ? null : lr.toJSON();
  }

  /** Kind, updates done and options, as JSON, for logs and checkpoints. */
  describe(): JsonValue {
    return { kind: this.spec.kind, step: this.#count, options: plain(this.spec.options) };
  }

  /**
   * Updates every parameter that has a gradient, in one launch: those without one and frozen ones stay as they are,
   * moments and EMA included. Schedules are asked for step t, by default the number of updates done. Adam's bias
   * correction counts updates of the optimizer, not of the parameter. @throws E_ARGUMENT inside `withEma`
   */
  step(t?: Num, options: StepOptions = {}): void {
    this.#checkUsable('step');
    span('optimizer', () => this.#update(t, options));
  }

  #update(t: Num | undefined, { lr, gradScale = 1 }: StepOptions): void {
    const { options, rule } = this.spec;
    const clip = this.#clip;
    this.#gather();
    guard(() => clip.to, clip);
    if (options.clipNorm !== undefined && clip.to === 0) this.clipGradNorm(options.clipNorm);
    const clipNorm = clip.to;
    effect(clip, () => {
      clip.to = 0;
      if (clipNorm > 0) this.#normScale = Number(gradScale);
    });
    const values = (): StepValues => {
      const at = Number(t ?? this.#count);
      return {
        t: at,
        count: this.#count,
        lr: lr === undefined ? this.lr(at) : Number(lr),
        emaRate: options.ema === undefined ? 0 : 1 - rateAt(options.ema.decay, at),
        gradScale: Number(gradScale),
        clipNorm,
      };
    };
    rule.launch(
      values,
      {
        grads: this.arena.grads,
        segments: this.arena.table,
        normSquared: clipNorm > 0 ? this.#normSquared : null,
        params: this.arena.params,
        ema: this.#ema,
        stats: this.#stats,
      },
      this.#state,
    );
    this.arena.params.storage.version++;
    if (this.#ema) this.#ema.storage.version++;
    effect(this, () => {
      this.#count++;
    });
  }

  /** Makes the gradient arena hold exactly this step's gradients, and the table say which segments have none. */
  #gather(): void {
    guard(() => this.#treated);
    const skipped = this.arena.segments.map(({ parameter }, i) => {
      const frozen = this.#treatments[i]?.frozen ?? false;
      const slot = this.arena.slot(i);
      guard(() => parameter.grad, parameter);
      const { grad } = parameter;
      if (frozen || grad === null) {
        guard(() => this.#skipped?.[i] === false, this);
        // It holds that of an earlier step.
        if (this.#skipped?.[i] === false) fill(slot, 0);
        return true;
      }
      if (grad !== slot) copyInto(slot, grad);
      return false;
    });
    const differs = (before: readonly boolean[] | null): boolean =>
      before === null || skipped.some((skip, i) => skip !== before[i]);
    const { by } = recording;
    if (by !== null) {
      // A replay writes the table once, before its ops.
      if (this.#captured?.by === by && differs(this.#captured.skipped))
        by.refuse('updates the same parameters in each step', 'one whose steps with one optimizer differ in them');
      this.#captured = { by, skipped };
    }
    effect(this, () => {
      if (!differs(this.#skipped)) return;
      this.arena.writeTable(this.#treatments, (i) => skipped[i] ?? false);
      this.#skipped = skipped;
    });
  }

  /** Forgets every gradient, so that the next backward begins anew. Costs nothing: no memory is touched. */
  zeroGrad(): void {
    this.#checkLive('zeroGrad');
    for (let i = 0; i < this.arena.segments.length; i++) this.arena.dropGradient(i);
  }

  /**
   * Makes the next `step` scale the gradients down to the global norm `maxNorm` if theirs, after gradScale, is larger:
   * by maxNorm / (norm + 1e-6), as torch.nn.utils.clip_grad_norm_. The gradients themselves stay as they are; the
   * norm never leaves the device. @throws E_ARGUMENT unless maxNorm is positive
   */
  clipGradNorm(maxNorm: number): void {
    this.#checkUsable('clipGradNorm');
    if (!(maxNorm > 0))
      throw new AnnealError('E_ARGUMENT', `clipGradNorm: expected a positive norm, received ${maxNorm}`);
    this.#gather();
    sumSquaresInto(this.#normSquared, this.arena.grads);
    effect(this.#clip, () => {
      this.#normScale = 1;
      this.#clip.to = maxNorm;
    });
  }

  /** The global norm of the gradients of the last clipped step, after gradScale and before clipping; NaN if there is none. */
  async gradNorm(): Promise<number> {
    this.#checkLive('gradNorm');
    const scale = this.#normScale;
    if (scale === null) return Number.NaN;
    return Math.abs(scale) * Math.sqrt(await this.#normSquared.item());
  }

  /**
   * |update| / |weight before it| of the last step, by parameter name; the update is what was subtracted, weight decay
   * and rate included. 0 for a parameter that stood still, Infinity for one that was all zeros before.
   */
  async updateRatios(): Promise<Record<string, number>> {
    this.#checkLive('updateRatios');
    const ratios: Record<string, number> = {};
    if (this.#count === 0) return ratios;
    const skipped = this.#skipped;
    const sums = await this.#stats.data();
    this.arena.segments.forEach(({ name }, i) => {
      const update = sums[2 * i] ?? 0;
      ratios[name] = skipped?.[i] || update === 0 ? 0 : Math.sqrt(update / (sums[2 * i + 1] ?? 0));
    });
    return ratios;
  }

  /** Freezes or unfreezes parameters from the next step on. @throws E_ARGUMENT when none matches */
  setFrozen(match: Match, frozen: boolean): void {
    this.#checkLive('setFrozen');
    let found = false;
    this.arena.segments.forEach(({ name, parameter }, i) => {
      const treatment = this.#treatments[i];
      if (!treatment || !matches(match, name, parameter)) return;
      found = true;
      treatment.frozen = frozen;
      this.#treated++;
      if (frozen) this.arena.detach(i);
      else if (parameter.gradSlot === null) this.arena.attach(i);
    });
    if (!found)
      throw new AnnealError('E_ARGUMENT', `setFrozen: expected ${String(match)} to match a parameter, matched none`);
  }

  get hasEma(): boolean {
    return this.#ema !== null;
  }

  /** The averaged weights by parameter name: views that follow each step and are the optimizer's. @throws E_ARGUMENT */
  emaParameters(): Map<string, Tensor<'f32'>> {
    this.#checkEma('emaParameters');
    return new Map(
      this.arena.segments.flatMap(({ name }, i) => {
        const view = this.#emaViews[i];
        return view ? [[name, view] as const] : [];
      }),
    );
  }

  /**
   * Runs `fn` with the averaged weights in place of the parameters; nothing is copied. If `fn` returns a promise they
   * are swapped back when it settles, and `step` is refused until then. @throws E_ARGUMENT without EMA, or when nested
   */
  withEma<T>(fn: () => T): T {
    this.#checkEma('withEma');
    this.#checkUsable('withEma');
    this.#swap(this.#emaViews, true);
    const back = (): void => this.#swap(this.#weightViews, false);
    let result: T;
    try {
      result = fn();
    } catch (error) {
      back();
      throw error;
    }
    if (result instanceof Promise) {
      result.then(back, back);
      return result;
    }
    back();
    return result;
  }

  #swap(views: readonly Tensor<'f32'>[], usingEma: boolean): void {
    this.#usingEma = usingEma;
    if (this.#disposed) return;
    this.arena.segments.forEach(({ parameter }, i) => {
      const view = views[i];
      if (view && !parameter.disposed) parameter.rebase(view);
    });
  }

  /** Begins the average anew at the weights as they are, for example after loading some. Does nothing without EMA. */
  resetEma(): void {
    if (this.#ema && this.arena.size > 0) copyInto(this.#ema, this.arena.params);
  }

  /**
   * Everything a resumed run needs beyond the weights, by parameter name, so that it fits an arena of another layout.
   * The values are those of the moment of the call, whatever is enqueued after it.
   */
  async stateDict(): Promise<OptimizerState> {
    this.#checkLive('stateDict');
    return encodeState(this.spec.kind, this.#count, this.arena.segments, this.#buffers());
  }

  /** Puts a state back. @throws E_ARGUMENT when it is of another optimizer or of other parameters; E_SHAPE */
  loadStateDict(state: OptimizerState): void {
    this.#checkUsable('loadStateDict');
    decodeState(state, this.spec.kind, this.arena, this.#buffers());
    this.#count = state.step;
  }

  #buffers(): StateBuffers {
    const { state } = this.spec.rule;
    const entries: [string, Tensor<'f32'>][] = this.#state.map((buffer, i) => [state[i] ?? '', buffer]);
    if (this.#ema) entries.push(['ema', this.#ema]);
    return new Map(entries);
  }

  #checkLive(op: string): void {
    if (this.#disposed)
      throw new AnnealError('E_DISPOSED', `${op}: expected a live optimizer, received one that was disposed`);
  }

  #checkUsable(op: string): void {
    this.#checkLive(op);
    if (this.#usingEma)
      throw new AnnealError(
        'E_ARGUMENT',
        `${op}: expected the parameters themselves, but withEma has swapped in their average`,
      );
  }

  #checkEma(op: string): void {
    this.#checkLive(op);
    if (this.#ema === null)
      throw new AnnealError('E_ARGUMENT', `${op}: expected an optimizer with ema: { decay }, received one without`);
  }

  /** Lets go of the state. The parameters stay usable and keep their values. Calling it again does nothing. */
  dispose(): void {
    if (this.#disposed) return;
    if (this.#usingEma) this.#swap(this.#weightViews, false);
    this.#disposed = true;
    for (const tensor of [...this.#weightViews, ...this.#emaViews]) tensor.dispose();
    this.arena.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * Binds a spec to parameters: moves them into one flat arena, where they keep their values, and makes the state.
 * @throws E_ARGUMENT when a parameter belongs to another optimizer, is no leaf, or a group matches nothing
 */
export function create<O extends OptimizerOptions>(
  spec: OptimizerSpec<O>,
  parameters: Iterable<readonly [string, Tensor<'f32'>]>,
): Optimizer {
  return new Optimizer(spec, parameters);
}
