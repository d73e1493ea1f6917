// Training with the batch and all activations stored as f16.
import assert from 'node:assert/strict';
import { mnist } from '../../src/data/mnist.js';
import * as nn from '../../src/nn/index.js';
import { sgd } from '../../src/optim/index.js';
import type { FloatDType } from '../../src/tensor/dtype.js';
import * as train from '../../src/train/index.js';
import { balanced, collect, data, ofType } from './setup.js';

balanced('digits are learned as well in f16 as in f32', async () => {
  const { train: digits, test: held } = await mnist();
  const run = async (precision: FloatDType): Promise<number> => {
    using model = nn.models.mlp({ hidden: [64], outputs: 10 });
    await using fit = train.fit(model, {
      data: digits.take(4096).shuffle().batch(64),
      validation: held.take(2000).batch(500),
      epochs: 2,
      seed: 7,
      optimizer: sgd({ lr: 0.1, momentum: 0.9 }),
      precision,
    });
    const { history } = await fit.result;
    return history.at(-1)?.metrics.val_accuracy ?? 0;
  };
  const [f32, f16] = [await run('f32'), await run('f16')];
  assert.ok(f32 > 0.85, `f32: ${f32}`);
  assert.ok(Math.abs(f16 - f32) < 0.015, `f16: ${f16}, f32: ${f32}`);
});

balanced('captured and op by op, a run in f16 has the same bits, and stores activations as f16', async () => {
  const seen = new Set<string>();
  const lossesOf = async (capture: boolean): Promise<number[]> => {
    using model = nn.sequential([nn.dense({ units: 16, activation: 'relu' }), nn.dense({ units: 3 })]);
    const forward = model.forward.bind(model);
    model.forward = (x, mode) => {
      const y = forward(x, mode);
      seen.add(`${x.dtype} ${y.dtype}`);
      return y;
    };
    await using run = train.fit(model, { data, epochs: 2, optimizer: sgd({ lr: 0.1 }), precision: 'f16', capture });
    return ofType(await collect(run), 'step').map(({ metrics }) => metrics.loss ?? Number.NaN);
  };
  assert.deepEqual(await lossesOf(true), await lossesOf(false));
  assert.deepEqual([...seen], ['f16 f16']);
});

balanced('another precision is refused', async () => {
  using model = nn.dense({ units: 3 });
  const options = { data, epochs: 1, optimizer: sgd({ lr: 0.1 }), precision: 'f64' };
  assert.throws(() => train.fit(model, options as train.FitOptions), { code: 'E_ARGUMENT', message: /'f32' or 'f16'/ });
});
