// What the tests of failures run: training steps with something of everything in them, small ones.
import { backward } from '../../src/autograd/index.js';
import { capture } from '../../src/capture/index.js';
import { memory, sync } from '../../src/device.js';
import * as nn from '../../src/nn/index.js';
import { softmaxCrossEntropy } from '../../src/ops/index.js';
import { create, type Optimizer, sgd } from '../../src/optim/index.js';
import type { Num, Scalar } from '../../src/scalar.js';
import { scope } from '../../src/tensor/scope.js';
import { liveTensors, type Tensor, tensor } from '../../src/tensor/tensor.js';
import { formula } from '../support/formula.js';

/** Tensors, buffers and bytes that are alive. */
export function holdings(): readonly number[] {
  const { liveBuffers, liveBytes } = memory();
  return [liveTensors(), liveBuffers, liveBytes];
}

export interface Steps {
  /** One update, and its loss. */
  step(): Promise<number>;
  /** Updates done. */
  readonly done: number;
  dispose(): void;
}

const spec = sgd({ lr: 0.05, momentum: 0.9, weightDecay: 1e-3, clipNorm: 1, ema: { decay: 0.9 } });

/**
 * Convolution, pooling, normalisation, dropout, dense; clipped gradients, momentum, moving average. Op by op, or `captured`
 * and replayed.
 */
function stepsOf(captured: boolean): Steps {
  const model = nn.sequential([
    nn.conv2d({ filters: 3, kernelSize: 3, activation: 'relu' }),
    nn.maxPool2d(2),
    nn.flatten(),
    nn.layerNorm(),
    nn.dropout(0.1),
    nn.dense({ units: 4 }),
  ]);
  let optimizer: Optimizer | null = null;
  const update = ({ x, y }: { x: Tensor; y: Tensor }, { step }: { step: Num }): Tensor => {
    if (optimizer === null) throw new Error('expected an optimizer');
    const loss = softmaxCrossEntropy(model.forward(x, { training: true, seed: 1, step }), y);
    optimizer.zeroGrad();
    backward(loss);
    optimizer.step(step);
    return loss.detach();
  };
  const replayed = captured
    ? capture((inputs: { x: Tensor; y: Tensor }, scalars: { step: Scalar }) => update(inputs, scalars))
    : null;
  const images = formula(2 * 8 * 8, 1);
  return {
    async step() {
      if (!model.built) model.build([8, 8, 1], 1);
      optimizer ??= create(spec, model.namedParameters());
      const at = { step: optimizer.stepCount };
      const loss = scope(() => {
        const inputs = { x: tensor(images, [2, 8, 8, 1]), y: tensor(Int32Array.of(1, 3)) };
        return replayed === null ? update(inputs, at) : replayed(inputs, at);
      });
      try {
        return await loss.item();
      } finally {
        loss.dispose();
      }
    },
    get done() {
      return optimizer?.stepCount ?? 0;
    },
    dispose() {
      replayed?.dispose();
      optimizer?.dispose();
      model.dispose();
    },
  };
}

export const eagerSteps = (): Steps => stepsOf(false);
export const capturedSteps = (): Steps => stepsOf(true);

/** The losses of undisturbed steps. */
export async function lossesOf(make: () => Steps, count: number): Promise<number[]> {
  const steps = make();
  const losses: number[] = [];
  for (let i = 0; i < count; i++) losses.push(await steps.step());
  steps.dispose();
  await sync();
  return losses;
}
