// Callbacks: what watches a run, keeps what it needs of it, and may stop it.
import type { JsonValue } from '../io/json.js';
import type { Module, Weights } from '../nn/module.js';
import type { Optimizer } from '../optim/optimizer.js';
import type { EpochEvent, StepEvent, StopEvent, StopReason, WarningEvent } from './events.js';
import type { Snapshot } from './snapshot.js';

/** What a callback may do with the run it watches. */
export interface RunHandle {
  readonly seed: number;
  readonly model: Module;
  /** @throws E_ARGUMENT before the first step, when there is none */
  readonly optimizer: Optimizer;
  readonly callbacks: readonly Callback[];
  /** Ends the run after the current step. */
  stop(reason: StopReason): void;
  /** Emits a warning event. */
  warn(message: string): Promise<void>;
  /**
   * Copies of the weights as they are now: the parameters, or their moving average, and the buffers (beside the average those
   * that `refreshStatistics` made for it, if the run does so).
   */
  weights(which: 'raw' | 'ema'): Promise<Weights>;
  /** Overwrites the model's weights. */
  restore(weights: Weights): void;
  /** Remembers the best result; it becomes `best` of the run's result. */
  setBest(best: Best): void;
  /** Everything of the run as it is now. For those of a moment between two steps see `Callback.wantsSnapshot`. */
  snapshot(): Snapshot;
}

export interface Best {
  readonly monitor: string;
  readonly value: number;
  /** From 0. */
  readonly epoch: number;
  /** Whether the model holds the weights of that epoch at the end of the run. */
  readonly restored: boolean;
}

/** What a step event is to carry beyond the metrics; each is measured only where a callback wants it. */
export interface Wanted {
  /** |update| / |weights| of each parameter. */
  readonly updateRatios?: boolean;
  /** The global norm of the gradients. */
  readonly gradNorm?: boolean;
  /** Statistics of what each layer gives, from another forward pass of the step's batch. */
  readonly activations?: boolean;
}

/** The moment after so many steps or epochs, or at the end of a run, before any callback's `onStop`. */
export type Moment = { readonly step: number } | { readonly epoch: number } | { readonly stop: StopReason };

/** What a callback keeps of its own, so that a resumed run goes on as if it had never stopped. */
export interface CallbackState {
  readonly json: JsonValue;
  readonly tensors?: Weights;
}

/** Hooks run in the order of the callbacks, each awaited. One that throws ends the run with its error. */
export interface Callback {
  /** Of its kind. A checkpoint holds the state of several of the same name by their order. */
  readonly name: string;
  /** What of its options is worth knowing later: `report.record` keeps them. */
  readonly settings?: Readonly<Record<string, JsonValue>>;
  /** What the event of step `step` (counted from 1) is to carry. */
  wants?(step: number): Wanted;
  /** The model is built and, if the run is resumed, everything has its state again; not called for a run without a batch. */
  onStart?(run: RunHandle): void | Promise<void>;
  /** Up to one more step may be under way. */
  onStep?(event: StepEvent, run: RunHandle): void | Promise<void>;
  onEpoch?(event: EpochEvent, run: RunHandle): void | Promise<void>;
  onWarning?(event: WarningEvent, run: RunHandle): void | Promise<void>;
  /** Also called when the run is aborted or fails. */
  onStop?(event: StopEvent, run: RunHandle): void | Promise<void>;
  /** Whether `onSnapshot` is to be called at this moment. A step after it then waits until this one is done. */
  wantsSnapshot?(at: Moment): boolean;
  /** After all callbacks have seen the event of that moment; training goes on once it returns. The snapshot is the callback's own. */
  onSnapshot?(snapshot: Snapshot, at: Moment, run: RunHandle): void | Promise<void>;
  /** Its state now, at once: what is in it must not change later. */
  state?(): CallbackState;
  /** Takes up a state that `state` gave. @throws E_FORMAT when it is none */
  load?(state: CallbackState): void;
}
