// The CNN of test/fixtures/make_cnn_fixture.py: the same layers, weights, data and optimizer from the same formula.
import { readFileSync } from 'node:fs';
import { backward } from '../../src/autograd/backward.js';
import { conv2d } from '../../src/ops/conv2d/conv2d.js';
import { maxPool2d } from '../../src/ops/pool2d/pool2d.js';
import { reshape } from '../../src/ops/reshape.js';
import { linear } from '../../src/ops/sgemm/sgemm.js';
import { softmaxCrossEntropy } from '../../src/ops/softmax_cross_entropy/softmax_cross_entropy.js';
import { create, type OptimizerSpec } from '../../src/optim/index.js';
import { keep, scope } from '../../src/tensor/scope.js';
import { type Tensor, tensor } from '../../src/tensor/tensor.js';
import { formula, mix, symmetric } from './formula.js';

interface Summary {
  readonly sum: number;
  readonly sumAbs: number;
  readonly max: number;
  readonly indices: readonly number[];
  readonly values: readonly number[];
}

export interface CnnFixture {
  readonly steps: number;
  readonly batch: number;
  /** Height and width of an image. */
  readonly size: number;
  readonly lr: number;
  readonly momentum: number;
  readonly weightDecay: number;
  readonly parameters: readonly { readonly name: string; readonly shape: readonly number[]; readonly scale: number }[];
  readonly losses: readonly number[];
  readonly after: Readonly<Record<string, Summary>>;
}

export const cnnFixture: CnnFixture = JSON.parse(
  readFileSync(new URL('../fixtures/cnn_training.json', import.meta.url), 'utf8'),
);

/** Images [N,S,S,1] with a bright 4x4 blob whose place depends on the label, plus noise; labels [N]. */
export function cnnBatch({ batch, size }: CnnFixture, step: number): { images: Float32Array; labels: Int32Array } {
  const labels = Int32Array.from({ length: batch }, (_, b) => mix(b, 2000 + step) % 10);
  const images = Float32Array.from({ length: batch * size * size }, (_, i) => {
    const label = labels[Math.floor(i / (size * size))]!;
    const y = Math.floor(i / size) % size;
    const x = i % size;
    const top = 4 * Math.floor(label / 4);
    const left = label % 4 < 3 ? 3 * (label % 4) : 8;
    const bright = y >= top && y < top + 4 && x >= left && x < left + 4;
    return 0.5 * symmetric(i, 1000 + step) + (bright ? 1 : 0);
  });
  return { images, labels };
}

export function cnnParameters({ parameters }: CnnFixture): Map<string, Tensor<'f32'>> {
  return new Map(
    parameters.map(({ name, shape, scale }, seed) => {
      const values = formula(
        shape.reduce((a, b) => a * b, 1),
        seed,
        scale,
      );
      return [name, keep(tensor(values, shape, { requiresGrad: true }))];
    }),
  );
}

/** Class scores [N,10] of images [N,S,S,1]. */
export function cnnForward(parameters: ReadonlyMap<string, Tensor<'f32'>>, images: Tensor): Tensor {
  const p = (name: string): Tensor<'f32'> => parameters.get(name)!;
  let x = images;
  for (const layer of ['conv1', 'conv2']) {
    x = conv2d(x, p(`${layer}/kernel`), { bias: p(`${layer}/bias`), padding: 'same', activation: 'relu' });
    x = maxPool2d(x, 2);
  }
  x = reshape(x, [x.shape[0]!, -1]);
  x = linear(x, p('dense1/kernel'), p('dense1/bias'), { activation: 'relu' });
  return linear(x, p('dense2/kernel'), p('dense2/bias'));
}

/** Trains from the formula's weights; the loss of each step, and the parameters after the last. */
export function trainCnn(
  fixture: CnnFixture,
  spec: OptimizerSpec,
  steps = fixture.steps,
): { losses: number[]; parameters: Map<string, Float32Array> } {
  return scope(() => {
    const parameters = cnnParameters(fixture);
    using optimizer = create(spec, parameters);
    const losses: number[] = [];
    for (let step = 0; step < steps; step++) {
      const { images, labels } = cnnBatch(fixture, step);
      const loss = scope(() => {
        const x = tensor(images, [fixture.batch, fixture.size, fixture.size, 1]);
        const result = softmaxCrossEntropy(cnnForward(parameters, x), tensor(labels));
        backward(result);
        return result;
      });
      optimizer.step();
      optimizer.zeroGrad();
      losses.push(loss.itemSync());
    }
    const values = new Map([...parameters].map(([name, tensor]) => [name, tensor.dataSync()]));
    for (const parameter of parameters.values()) parameter.dispose();
    return { losses, parameters: values };
  });
}
