// What of an optimizer changes from step to step goes into a captured one as values: the same bits, and no other plan.
import assert from 'node:assert/strict';
import { capture } from '../../src/capture/index.js';
import { AnnealError } from '../../src/errors.js';
import * as nn from '../../src/nn/index.js';
import { adamw, create, type OptimizerSpec, rmsprop, sgd } from '../../src/optim/index.js';
import * as schedule from '../../src/schedule/index.js';
import { type Tensor, tensor } from '../../src/tensor/tensor.js';
import { balanced, compareRuns, type Trainable, trainable } from './setup.js';

const batches = Array.from({ length: 9 }, (_, i) => ({ size: 6, seed: 31 + i }));

async function onePlan(spec: OptimizerSpec, before?: (trainable: Trainable, t: number) => void): Promise<void> {
  const make = () =>
    trainable(
      nn.sequential({ first: nn.dense({ units: 9, activation: 'relu' }), last: nn.dense({ units: 4 }) }),
      [7],
      spec,
    );
  using step = await compareRuns(make, batches, [7], 4, before);
  assert.equal(step.plans.length, 1);
}

const falling = schedule.linear({ from: 0.2, end: 0.01, steps: 6 });
const momentum = schedule.oneCycleMomentum({ steps: 9, pctStart: 0.5 });

balanced('weight decay, momentum and the rates of groups are scheduled', () =>
  onePlan(
    sgd({
      lr: falling,
      momentum,
      weightDecay: schedule.scale(falling, 0.5),
      groups: [
        { match: /first\.weight/, lrScale: schedule.step({ from: 1, gamma: 0.5, every: 2 }), weightDecay: falling },
        { match: /last/, lrScale: 0.3 },
      ],
    }),
  ),
);

balanced('the betas of AdamW are scheduled', () =>
  onePlan(
    adamw({
      lr: 0.01,
      betas: [momentum, schedule.warmup({ from: 0.9, to: 0.99, steps: 5 })],
      weightDecay: falling,
      ema: { decay: falling, biasCorrection: true, startStep: 2 },
    }),
  ),
);

balanced('snapshots are averaged, and gradients clipped by value and norm', () =>
  onePlan(rmsprop({ lr: 0.01, swa: { startStep: 2, every: 3 }, clipValue: 0.02, clipNorm: 0.05 })),
);

balanced('factors on rates are changed between steps', () =>
  onePlan(sgd({ lr: falling, momentum: 0.9, groups: [{ match: /last/, lrScale: falling }] }), ({ optimizer }, t) => {
    if (t === 2 || t === 5) optimizer.lrFactor *= 0.25;
    if (t === 3) optimizer.scaleRate(/weight/, 0.5);
    if (t === 6) optimizer.scaleRate(['last.weight'], 3);
  }),
);

balanced('a gradient that is the whole arena is clipped in place', async () => {
  const make = () =>
    trainable(nn.sequential([nn.dense({ units: 16, bias: false })]), [16], sgd({ lr: 0.1, clipValue: 0.001 }));
  using step = await compareRuns(make, batches, [16], 4);
  assert.equal(step.plans.length, 1);
});

balanced('two updates in one captured step are refused where groups have schedules', () => {
  const parameter = tensor([1, 2]).requireGrad();
  using optimizer = create(sgd({ lr: 1, groups: [{ match: ['w'], lrScale: falling }] }), new Map([['w', parameter]]));
  using step = capture((_inputs: Readonly<Record<string, Tensor>>) => {
    for (let i = 0; i < 2; i++) {
      parameter.grad ??= tensor([1, 1]);
      optimizer.step();
    }
  });
  assert.throws(
    () => step({}),
    (error: unknown) =>
      error instanceof AnnealError && /updates once where groups or weight decay have/.test(error.message),
  );
  optimizer.dispose();
  parameter.dispose();
});
