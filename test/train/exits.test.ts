// Every way out of a training run leaves tensors and memory as they were, captured or op by op.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromIterable, type HostBatch } from '../../src/data/index.js';
import * as nn from '../../src/nn/index.js';
import { adam } from '../../src/optim/index.js';
import type { Tensor } from '../../src/tensor/tensor.js';
import * as train from '../../src/train/index.js';
import { holdings } from '../faults/steps.js';
import { mlp } from '../support/blobs.js';
import { data, trainSet, validation } from './setup.js';

const optimizer = adam({ lr: 0.01, ema: { decay: 0.9 } });
const callbacks = [train.earlyStopping({ patience: 9, restoreBest: true }), train.updateRatio({ every: 2 })];
type Options = Omit<train.FitOptions, 'optimizer' | 'epochs'> & { readonly epochs?: number };
type Way = () => {
  readonly options?: Partial<Options>;
  readonly model?: nn.Module;
  readonly act?: (run: train.Run) => unknown;
};

/** An activation that throws in its forward pass number `at`. */
class Failing extends nn.Module {
  readonly kind = 'failing';
  #passes = 0;

  constructor(readonly at: number) {
    super();
  }

  override create(input: readonly number[]): readonly number[] {
    return input;
  }

  override forward(x: Tensor): Tensor {
    if (++this.#passes === this.at) throw new Error('the model throws');
    return x.tanh();
  }
}

const failing = (at: number): nn.Module =>
  nn.sequential([nn.dense({ units: 8 }), new Failing(at), nn.dense({ units: 3 })]);

const abortAt = (step: number): Partial<Options> => {
  const controller = new AbortController();
  const onStep = (event: train.StepEvent): void => {
    if (event.step === step) controller.abort();
  };
  return { signal: controller.signal, callbacks: [...callbacks, { name: 'abort', onStep }] };
};

const throwing =
  (hook: 'onStep' | 'onEpoch' | 'onStop'): Way =>
  () => ({
    options: {
      callbacks: [
        ...callbacks,
        {
          name: 'throws',
          async [hook]() {
            await Promise.resolve();
            throw new Error('the callback throws');
          },
        },
      ],
    },
  });

/** The data's third batch fails, or never comes. */
const broken = (how: 'throws' | 'stalls') =>
  fromIterable(
    async function* (epoch, options): AsyncGenerator<HostBatch> {
      let left = 2;
      for (const batch of trainSet.batch(32).epoch(epoch, options)) {
        if (left-- === 0) {
          if (how === 'throws') throw new Error('the data throws');
          await new Promise(() => undefined);
        }
        yield batch;
      }
    },
    { batchesPerEpoch: 6 },
  );

const untilStep = async (run: train.Run, step: number): Promise<void> => {
  for await (const event of run) if (event.type === 'step' && event.step === step) break;
};

const ways: Record<string, Way> = {
  'it completes': () => ({}),
  'a callback throws at a step': throwing('onStep'),
  'a callback throws at an epoch': throwing('onEpoch'),
  'a callback throws at the end': throwing('onStop'),
  'the data throws': () => ({ options: { data: broken('throws') } }),
  'the data stalls, and the run is aborted': () => ({
    options: { data: broken('stalls') },
    act: async (run) => {
      await untilStep(run, 1);
      run.stop();
      await run.result;
    },
  }),
  'the validation data throws': () => ({ options: { validation: broken('throws') } }),
  'the signal is aborted before': () => ({ options: { signal: AbortSignal.abort() } }),
  'the signal is aborted during the first epoch': () => ({ options: abortAt(3) }),
  'the signal is aborted during the second epoch': () => ({ options: abortAt(9) }),
  'the signal is aborted after': () => {
    const controller = new AbortController();
    return {
      options: { signal: controller.signal },
      act: async (run) => {
        await run.result;
        controller.abort();
      },
    };
  },
  'a callback stops it': () => ({
    options: { callbacks: [{ name: 'stop', onStep: (_event, run) => run.stop('earlyStopping') }] },
  }),
  'its iterator is left early': () => ({ act: (run) => untilStep(run, 4) }),
  'its iterator is dropped': () => ({ act: (run) => run[Symbol.asyncIterator]().next() }),
  'it is never looked at': () => ({ options: { epochs: 1000 }, act: () => undefined }),
  'the targets do not fit': () => ({ options: { loss: 'mse', metrics: [] } }),
  'the loss is not finite': () => ({ options: { loss: (output) => output.log().mean() } }),
  ...Object.fromEntries(
    [1, 2, 3, 7].map((at): [string, Way] => [`the model throws in pass ${at}`, () => ({ model: failing(at) })]),
  ),
};

for (const capture of [true, false]) {
  for (const [name, way] of Object.entries(ways)) {
    test(`${capture ? 'captured' : 'op by op'}: nothing is left when ${name}`, async () => {
      const before = holdings();
      const { options = {}, model = mlp(0.1), act } = way();
      {
        await using run = train.fit(model, { data, validation, callbacks, epochs: 2, optimizer, capture, ...options });
        await (act ?? (() => run.result.catch(() => undefined)))(run);
      }
      model.dispose();
      assert.deepEqual(holdings(), before);
    });
  }
}
