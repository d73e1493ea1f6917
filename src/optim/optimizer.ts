// An optimizer: a spec bound to a model's parameters.
import { span } from '../backend/tracing.js';
import { AnnealError } from '../errors.js';
import type { JsonValue } from '../io/json.js';
import { copyInto } from '../ops/strided_copy/strided_copy.js';
import type { Num } from '../scalar.js';
import { rateAt, type ScheduleJson } from '../schedule/index.js';
import { effect } from '../tensor/recorder.js';
import { empty, type Tensor } from '../tensor/tensor.js';
import { ParameterArena } from './arena.js';
import { Averaging } from './averaging.js';
import { Gradients } from './gradients.js';
import { type Match, matches, nonNegative, type Treatment, treatments } from './groups.js';
import { normsOf } from './norms.js';
import { plain } from './plain.js';
import { SegmentTable } from './segment_table.js';
import type { OptimizerOptions, OptimizerSpec, StepValues } from './spec.js';
import { decodeState, encodeState, type OptimizerState, type StateBuffers } from './state.js';

export type { OptimizerSpec } from './spec.js';

export interface StepOptions {
  /** In place of the optimizer's learning rate, `lrFactor` included, for this step. */
  readonly lr?: Num;
  /** Multiplies every gradient first: the reciprocal of a loss scale, or of the number of accumulated batches. Default 1. */
  readonly gradScale?: Num;
}

export class Optimizer {
  readonly spec: OptimizerSpec;
  readonly arena: ParameterArena;
  readonly #table: SegmentTable;
  readonly #gradients: Gradients;
  readonly #averaging: Averaging | null;
  readonly #state: readonly Tensor<'f32'>[];
  readonly #ema: Tensor<'f32'> | null;
  readonly #stats: Tensor<'f32'>;
  /** Per segment, in the parameter's shape: where weights and their average lie. */
  readonly #weightViews: readonly Tensor<'f32'>[];
  readonly #emaViews: readonly Tensor<'f32'>[];
  #lrFactor = 1;
  #count = 0;
  /** Ends the exchange of weights for their average; null: there is none. */
  #swapped: Disposable | null = null;
  #disposed = false;

  /** @throws E_ARGUMENT when a parameter belongs to another optimizer or a group matches nothing */
  constructor(spec: OptimizerSpec, parameters: Iterable<readonly [string, Tensor<'f32'>]>) {
    const { options, rule, kind } = spec;
    const named = new Map(parameters);
    const byName = treatments(kind, named, options.weightDecay ?? 0, options.groups ?? []);
    this.spec = spec;
    this.arena = new ParameterArena(named);
    const still: Treatment = { lrScale: 1, weightDecay: 0, factor: 1, frozen: false };
    this.#table = new SegmentTable(
      this.arena,
      this.arena.segments.map(({ name }) => byName.get(name) ?? still),
    );
    const averaging = options.ema ?? options.swa;
    this.#averaging = averaging === undefined ? null : new Averaging(averaging);
    try {
      this.#state = rule.state.map(() => this.arena.allocate());
      this.#ema = averaging === undefined ? null : this.arena.allocate();
      this.#stats = this.arena.own(empty([this.arena.segments.length, 2], 'f32', this.arena.params.device));
      this.#gradients = new Gradients(this.arena, this.#table);
    } catch (error) {
      this.arena.dispose();
      throw error;
    }
    this.#weightViews = this.arena.segments.map((segment) => this.arena.view(this.arena.params, segment));
    const ema = this.#ema;
    this.#emaViews = ema === null ? [] : this.arena.segments.map((segment) => this.arena.view(ema, segment));
    this.resetEma();
    this.arena.segments.forEach((_, i) => {
      if (this.#table.isFrozen(i)) this.arena.detach(i);
    });
  }

  /** Updates done. */
  get stepCount(): number {
    return this.#count;
  }

  /** The learning rate at step t, `lrFactor` included; by default that of the next step. */
  lr(t: number = this.#count): number {
    return rateAt(this.spec.options.lr, t) * this.#lrFactor;
  }

  /**
   * Multiplies the learning rate from the next step on, of all groups: what a callback lowers when a metric no longer improves.
   * 1 unless set. Captured steps follow. @throws E_ARGUMENT unless it is a number of at least 0
   */
  get lrFactor(): number {
    return this.#lrFactor;
  }

  set lrFactor(factor: number) {
    this.#lrFactor = nonNegative('lrFactor', 'the factor', factor);
  }

  /**
   * Multiplies the rates of the parameters that match from the next step on, each time anew: for a callback that tames single
   * layers. Captured steps follow. @throws E_ARGUMENT when none matches, or unless the factor is a number of at least 0
   */
  scaleRate(match: Match, factor: number): void {
    this.#checkLive('scaleRate');
    nonNegative('scaleRate', 'factor', factor);
    for (const i of this.#matching('scaleRate', match)) this.#table.scaleRate(i, factor);
  }

  /** The product of all factors of `scaleRate`, by parameter name; parameters without any are left out. */
  get rateFactors(): Readonly<Record<string, number>> {
    return this.#table.rateFactors;
  }

  /** The learning rate's schedule, for `schedule.fromJSON`; null if the rate is a number. */
  get schedule(): ScheduleJson | null {
    const { lr } = this.spec.options;
    return typeof lr === 'number' ? null : lr.toJSON();
  }

  /** Kind, updates done, factors on rates and options, as JSON, for logs and checkpoints. */
  describe(): JsonValue {
    const { kind, options } = this.spec;
    return {
      kind,
      step: this.#count,
      lrFactor: this.#lrFactor,
      rateFactors: this.rateFactors,
      options: plain(options),
    };
  }

  /**
   * Updates every parameter that has a gradient, in one launch: those without one and frozen ones stay as they are,
   * moments and EMA included. Schedules are asked for step t, by default the number of updates done. Adam's bias
   * correction counts updates of the optimizer, not of the parameter. @throws E_ARGUMENT while averaged weights are swapped in
   */
  step(t?: Num, options: StepOptions = {}): void {
    this.#checkUsable('step');
    span('optimizer', () => this.#update(t, options));
  }

  #update(t: Num | undefined, { lr, gradScale = 1 }: StepOptions): void {
    const { rule } = this.spec;
    const stepOf = (): number => Number(t ?? this.#count);
    this.#gradients.gather(stepOf);
    const { clipNorm, normSquared } = this.#gradients.clip(this.spec.options, gradScale);
    const values = (): StepValues => {
      const at = stepOf();
      return {
        t: at,
        count: this.#count,
        lr: lr === undefined ? this.lr(at) : Number(lr),
        emaRate: this.#averaging?.rate(at) ?? 0,
        gradScale: Number(gradScale),
        clipNorm,
      };
    };
    rule.launch(
      values,
      {
        grads: this.arena.grads,
        segments: this.arena.table,
        normSquared,
        params: this.arena.params,
        ema: this.#ema,
        stats: this.#stats,
      },
      this.#state,
    );
    this.arena.params.storage.version++;
    if (this.#ema) this.#ema.storage.version++;
    effect(this, () => {
      this.#averaging?.advance(stepOf());
      this.#count++;
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
    this.#gradients.clipNext('clipGradNorm', 'norm', maxNorm);
  }

  /**
   * Makes the next `step` clip each gradient, after gradScale, to [-value, value], as torch.nn.utils.clip_grad_value_, in place;
   * where it clips to a norm, too, that is the norm of what this has left. @throws E_ARGUMENT unless value is positive
   */
  clipGradValue(value: number): void {
    this.#checkUsable('clipGradValue');
    this.#gradients.clipNext('clipGradValue', 'value', value);
  }

  /**
   * The global norm of the gradients of the last step, after gradScale and clipping by value, before clipping to a norm; NaN
   * before the first step. Known where the step clipped to a norm; otherwise it is computed now, so ask before the next backward.
   */
  async gradNorm(): Promise<number> {
    this.#checkLive('gradNorm');
    return this.#gradients.norm();
  }

  /**
   * The same by parameter name, 0 for one that stood still; empty before the first step. It is computed when asked for, so ask
   * before the next backward.
   */
  async gradNorms(): Promise<Record<string, number>> {
    this.#checkLive('gradNorms');
    return this.#byName(await this.#gradients.norms());
  }

  /** The norm of each parameter as it is now, by name: of the weights themselves, also while their average is swapped in. */
  async weightNorms(): Promise<Record<string, number>> {
    this.#checkLive('weightNorms');
    return this.#byName(await normsOf(this.#weightViews));
  }

  #byName(values: readonly number[]): Record<string, number> {
    return Object.fromEntries(values.map((value, i) => [this.arena.segments[i]?.name ?? '', value]));
  }

  /**
   * |update| / |weight before it| of the last step, by parameter name; the update is what was subtracted, weight decay
   * and rate included. 0 for a parameter that stood still, Infinity for one that was all zeros before.
   */
  async updateRatios(): Promise<Record<string, number>> {
    this.#checkLive('updateRatios');
    if (this.#count === 0) return {};
    const skipped = this.arena.segments.map((_, i) => this.#gradients.skipped(i));
    const sums = await this.#stats.data();
    return this.#byName(
      skipped.map((skip, i) => {
        const update = sums[2 * i] ?? 0;
        return skip || update === 0 ? 0 : Math.sqrt(update / (sums[2 * i + 1] ?? 0));
      }),
    );
  }

  /** Freezes or unfreezes parameters from the next step on. @throws E_ARGUMENT when none matches */
  setFrozen(match: Match, frozen: boolean): void {
    this.#checkLive('setFrozen');
    for (const i of this.#matching('setFrozen', match)) {
      this.#table.freeze(i, frozen);
      if (frozen) this.arena.detach(i);
      else if (this.arena.segments[i]?.parameter.gradSlot === null) this.arena.attach(i);
    }
  }

  /** Segments by a pattern. @throws E_ARGUMENT when there is none */
  #matching(op: string, match: Match): number[] {
    const found = this.arena.segments.flatMap(({ name, parameter }, i) => (matches(match, name, parameter) ? [i] : []));
    if (found.length === 0)
      throw new AnnealError('E_ARGUMENT', `${op}: expected ${String(match)} to match a parameter, matched none`);
    return found;
  }

  /** Whether it keeps an average of the weights, exponential or equal. */
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
   * Puts the averaged weights in place of the parameters, without copying, until the result is disposed or `swapOut` is called;
   * `step` is refused until then. `{ using _ = optimizer.swapIn(); ... }`. @throws E_ARGUMENT without an average, or when nested
   */
  swapIn(): Disposable {
    return this.#swapIn('swapIn');
  }

  #swapIn(op: string): Disposable {
    this.#checkEma(op);
    this.#checkUsable(op);
    this.#swap(this.#emaViews);
    // Disposed after a swapOut by hand it must not end a later exchange.
    const swapped: Disposable = {
      [Symbol.dispose]: () => {
        if (this.#swapped === swapped) this.swapOut();
      },
    };
    this.#swapped = swapped;
    return swapped;
  }

  /** Puts the weights themselves back; does nothing where they are in place. */
  swapOut(): void {
    if (this.#swapped === null) return;
    this.#swapped = null;
    this.#swap(this.#weightViews);
  }

  /**
   * Runs `fn` with the averaged weights in place of the parameters; nothing is copied. If `fn` returns a promise they
   * are swapped back when it settles, and `step` is refused until then. @throws E_ARGUMENT without an average, or when nested
   */
  withEma<T>(fn: () => T): T {
    const swapped = this.#swapIn('withEma');
    const back = (): void => swapped[Symbol.dispose]();
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

  #swap(views: readonly Tensor<'f32'>[]): void {
    if (this.#disposed) return;
    this.arena.segments.forEach(({ parameter }, i) => {
      const view = views[i];
      if (view && !parameter.disposed) parameter.rebase(view);
    });
  }

  /** Begins the average anew at the weights as they are, for example after loading some. Does nothing without one. */
  resetEma(): void {
    if (this.#ema && this.arena.size > 0) copyInto(this.#ema, this.arena.params);
    const averaging = this.#averaging;
    if (averaging) effect(this, () => averaging.reset());
  }

  /**
   * Everything a resumed run needs beyond the weights, by parameter name, so that it fits an arena of another layout.
   * The values are those of the moment of the call, whatever is enqueued after it.
   */
  async stateDict(): Promise<OptimizerState> {
    const scalars = this.stateScalars();
    return { ...scalars, tensors: await encodeState(this.arena.segments, this.#buffers()) };
  }

  /** What `stateDict` holds beside tensors: JSON. */
  stateScalars(): Omit<OptimizerState, 'tensors'> {
    this.#checkLive('stateDict');
    const averaging = this.#averaging?.state;
    return {
      kind: this.spec.kind,
      step: this.#count,
      lrFactor: this.#lrFactor,
      rateFactors: this.rateFactors,
      ...(averaging && { averaging }),
    };
  }

  /** The buffers that `stateDict` reads, parallel to the arena, by name. They are the optimizer's, and follow each step. */
  get stateBuffers(): StateBuffers {
    this.#checkLive('stateBuffers');
    return this.#buffers();
  }

  /** Puts a state back. @throws E_ARGUMENT when it is of another optimizer or of other parameters; E_SHAPE */
  loadStateDict(state: OptimizerState): void {
    this.#checkUsable('loadStateDict');
    decodeState(state, this.spec.kind, this.arena, this.#buffers());
    this.#count = state.step;
    this.#lrFactor = state.lrFactor ?? 1;
    const { weight = 0, count = 0 } = state.averaging ?? {};
    if (this.#averaging) this.#averaging.state = { weight, count };
    this.#table.rateFactors = state.rateFactors ?? {};
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
    if (this.#swapped !== null)
      throw new AnnealError('E_ARGUMENT', `${op}: expected the parameters themselves, but their average is swapped in`);
  }

  #checkEma(op: string): void {
    this.#checkLive(op);
    if (this.#ema === null)
      throw new AnnealError('E_ARGUMENT', `${op}: expected an optimizer with ema or swa, received one without`);
  }

  /** Lets go of the state. The parameters stay usable and keep their values. Calling it again does nothing. */
  dispose(): void {
    if (this.#disposed) return;
    this.swapOut();
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
