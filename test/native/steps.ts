// The training steps that workers and the main thread compare.
import { backward } from '../../src/autograd/index.js';
import * as nn from '../../src/nn/index.js';
import { softmaxCrossEntropy } from '../../src/ops/index.js';
import { create, sgd } from '../../src/optim/index.js';
import { scope } from '../../src/tensor/scope.js';
import { tensor } from '../../src/tensor/tensor.js';
import { formula, mix } from '../support/formula.js';

const N = 16;

/** Losses and weights, as the hex of their bits. */
export async function trainSteps(steps: number): Promise<string> {
  using model = nn.sequential([
    nn.conv2d({ filters: 8, kernelSize: 3, padding: 'same', activation: 'relu' }),
    nn.maxPool2d(2),
    nn.flatten(),
    nn.dropout(0.25),
    nn.dense({ units: 10 }),
  ]);
  model.build([12, 12, 3], 1);
  using optimizer = create(sgd({ lr: 0.05, momentum: 0.9 }), model.namedParameters());
  const losses: Promise<Float32Array>[] = [];
  for (let step = 0; step < steps; step++) {
    scope(() => {
      const x = tensor(formula(N * 12 * 12 * 3, step), [N, 12, 12, 3]);
      const y = tensor(Int32Array.from({ length: N }, (_, i) => mix(i, step) % 10));
      const loss = softmaxCrossEntropy(model.forward(x, { training: true, seed: 7, step }), y);
      optimizer.zeroGrad();
      backward(loss);
      optimizer.step();
      losses.push(loss.data() as Promise<Float32Array>);
    });
  }
  const weights = [...(await model.stateDict()).values()].map(({ data }) => data);
  return [...(await Promise.all(losses)), ...weights]
    .map((values) => Buffer.from(values.buffer).toString('hex'))
    .join();
}
