import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { wholeNumber } from '../checks.js';
import { AnnealError } from '../errors.js';
import { writeCheckpoint } from '../io/checkpoint.js';
import { fieldsOf } from '../io/fields.js';
import type { Callback, RunHandle } from './callback.js';
import { checkpointPath } from './latest_checkpoint.js';
import { type MonitorOptions, monitorOf } from './monitor.js';
import { MODEL, type Snapshot } from './snapshot.js';

export interface CheckpointOptions extends MonitorOptions {
  /** A folder, made if it is not there; `<run>/checkpoints` by custom. */
  readonly directory: string;
  /** Epochs from one checkpoint to the next; 0: none at the end of epochs. Default 1. */
  readonly everyEpochs?: number;
  /** Steps from one checkpoint to the next; 0: none but at the end of epochs. Default 0. */
  readonly everySteps?: number;
  /** The newest checkpoints that are kept. Two, so that one is whole whatever happens to the other. Default 2. */
  readonly keepLast?: number;
  /** The best ones that are kept too, by the monitored metric at the end of their epoch. Default 1. */
  readonly keepBest?: number;
  /** Write `error.safetensors` where the run fails, to look at; runs do not resume from it. Default true. */
  readonly onError?: boolean;
}

interface Entry {
  readonly step: number;
  /** The monitored metric; null for one within an epoch. */
  readonly value: number | null;
}

/**
 * Writes checkpoints `step-<updates>.safetensors` and `.json` that `train.fit(..., { resume })` goes on from, to the same bits:
 * weights, optimizer, averages, position in the data, callbacks' states, history. Written in the background, one at a time, each
 * whole or not at all; none of weights that are not finite. An aborted run leaves one where it stopped. A failed write is a warning
 * event, at the end of the run an error.
 * The monitor defaults to val_loss, or to loss without validation. @throws E_ARGUMENT
 */
export function checkpoint(options: CheckpointOptions): Callback {
  const { directory, everyEpochs = 1, everySteps = 0, keepLast = 2, keepBest = 1, onError = true } = options;
  if (typeof directory !== 'string' || directory === '')
    throw new AnnealError('E_ARGUMENT', `checkpoint: expected a directory, received '${String(directory)}'`);
  const own = 'checkpoint';
  wholeNumber(own, 'everyEpochs', everyEpochs, 0);
  wholeNumber(own, 'everySteps', everySteps, 0);
  wholeNumber(own, 'keepLast', keepLast);
  wholeNumber(own, 'keepBest', keepBest, 0);
  const monitor = monitorOf(own, options);
  const fallback = monitorOf(own, { ...options, monitor: 'loss' });
  let entries: readonly Entry[] = [];
  let writing: Promise<AnnealError | null> = Promise.resolve(null);
  /** Somebody waits for what is being written, or soon will. */
  let hurry = false;

  const add = (step: number, value: number | null): void => {
    entries = [...entries.filter((entry) => entry.step !== step), { step, value }];
  };
  /** Removes what need not be kept, of those up to the one just written: a later one may be noted, but is not there yet. */
  const prune = async (newest: number): Promise<void> => {
    const written = entries.filter(({ step }) => step <= newest);
    const valued = written.filter((entry) => entry.value !== null && !Number.isNaN(entry.value));
    const best = valued.sort((a, b) => (monitor.better(a.value ?? 0, b.value ?? 0) ? -1 : 1)).slice(0, keepBest);
    const last = [...written].sort((a, b) => b.step - a.step).slice(0, keepLast);
    const gone = written.filter((entry) => !best.includes(entry) && !last.includes(entry));
    entries = entries.filter((entry) => !gone.includes(entry));
    for (const { step } of gone) {
      // The tensors first: a state alone is nothing, tensors alone would be found damaged.
      for (const ending of ['safetensors', 'json'])
        await rm(`${checkpointPath(directory, step)}.${ending}`, { force: true });
    }
  };
  /** One at a time; gives the failure of the one before. */
  const write = async (path: string, snapshot: Snapshot, failed: boolean): Promise<AnnealError | null> => {
    hurry = true;
    const before = await writing;
    hurry = failed;
    writing = (async () => {
      try {
        await mkdir(directory, { recursive: true });
        const { state, tensors } = snapshot;
        await writeCheckpoint(
          path,
          { state, tensors: failed ? tensors : finiteOnly(tensors, path) },
          { pace: pacer() },
        );
        await prune(state.step);
        return null;
      } catch (error) {
        entries = entries.filter(({ step }) => step !== snapshot.state.step);
        return error instanceof AnnealError
          ? error
          : new AnnealError('E_IO', `${path}: could not be written (${String(error)})`, { cause: error });
      } finally {
        snapshot.dispose();
      }
    })();
    return before;
  };
  /** After each piece of work a rest, so that training has nearly all of the processor; none where somebody waits. */
  const pacer = (): (() => Promise<void>) => {
    let since = performance.now();
    return async () => {
      const rest = hurry ? 0 : REST * Math.min(performance.now() - since, MOST_WORK);
      await new Promise<void>((resolve) => (rest > 0 ? setTimeout(resolve, rest) : setImmediate(resolve)));
      since = performance.now();
    };
  };
  const tell = async (failure: AnnealError | null, run: RunHandle): Promise<void> => {
    if (failure) await run.warn(`a checkpoint was not written: ${failure.message}`);
  };
  return {
    name: 'checkpoint',
    async onStart(run) {
      // The run has the memory of a snapshot from now on; taking it later would hold up a step.
      run.snapshot().dispose();
      await run.optimizer.arena.params.storage.backend.sync();
      // What a killed process left half-written.
      const found = await readdir(directory).catch(() => []);
      for (const name of found) if (/^\.step-.*\.tmp$/.test(name)) await rm(join(directory, name), { force: true });
    },
    onStep({ step }) {
      if (everySteps === 0) return;
      if (step % everySteps === 0) add(step, null);
      // Half of the way to the next one, which would have to wait.
      if (2 * (step % everySteps) >= everySteps) hurry = true;
    },
    onEpoch(event) {
      if (everyEpochs === 0 || (event.epoch + 1) % everyEpochs !== 0) return;
      const followed = options.monitor === undefined && !('val_loss' in event.metrics) ? fallback : monitor;
      add(event.step, followed.valueOf(event));
    },
    wantsSnapshot(at) {
      if ('step' in at) return everySteps > 0 && at.step % everySteps === 0;
      if ('epoch' in at) return everyEpochs > 0 && at.epoch % everyEpochs === 0;
      return at.stop === 'aborted' || (onError && (at.stop === 'error' || at.stop === 'nonfinite'));
    },
    async onSnapshot(snapshot, at, run) {
      const failed = 'stop' in at && at.stop !== 'aborted';
      const { step } = snapshot.state;
      if (!failed && !entries.some((entry) => entry.step === step)) add(step, null);
      const path = failed ? join(directory, 'error') : checkpointPath(directory, step);
      await tell(await write(path, snapshot, failed), run);
    },
    async onStop() {
      hurry = true;
      const failure = await writing;
      writing = Promise.resolve(null);
      if (failure) throw failure;
    },
    state: () => ({ json: { entries: entries.map((entry) => ({ ...entry })) } }),
    load({ json }) {
      entries = fieldsOf(own, json, { entries: 'array' }).entries.map((entry) => {
        const { step } = fieldsOf(own, entry, { step: 'number' });
        const value = typeof entry === 'object' && entry !== null && 'value' in entry ? entry.value : null;
        return { step, value: typeof value === 'number' ? value : null };
      });
    },
  };
}

/** Milliseconds of rest for each of work, and of work at most that are rested for: waiting for the device is no work. */
const REST = 2;
const MOST_WORK = 2;
/** Values that are looked at in one piece: those of half a MB, which is hashed in one. */
const AT_ONCE = 1 << 17;

/** The same tensors; reading those of the model throws E_NONFINITE where one is not finite. */
function finiteOnly(tensors: Snapshot['tensors'], path: string): Snapshot['tensors'] {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]) => {
      if ('data' in tensor || !name.startsWith(MODEL)) return [name, tensor];
      async function* chunks(): AsyncGenerator<Float32Array> {
        if ('data' in tensor) return;
        for await (const chunk of tensor.chunks()) {
          for (let at = 0; at < chunk.length; at += AT_ONCE) {
            const piece = chunk.subarray(at, at + AT_ONCE);
            if (!allFinite(piece)) {
              const what = name.slice(MODEL.length);
              throw new AnnealError('E_NONFINITE', `${path}: expected finite weights, '${what}' is not`);
            }
            yield piece;
          }
        }
      }
      return [name, { ...tensor, chunks }];
    }),
  );
}

function allFinite(values: Float32Array): boolean {
  let sum = 0;
  // 0 times a number is 0, times anything else NaN.
  for (let i = 0; i < values.length; i++) sum += 0 * (values[i] ?? 0);
  return sum === 0;
}
