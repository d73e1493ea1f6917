// Run by soak.test.ts, and under sanitizers: for so many seconds, captures, replays, disposes and captures again in an order drawn from
// a seed, each learner beside a twin that runs op by op. Ends with exit code 0 if all agreed to the last bit and nothing is left.
import assert from 'node:assert/strict';
import { type Captured, capture } from '../../src/capture/index.js';
import { memory, setThreads, sync, trim } from '../../src/device.js';
import * as nn from '../../src/nn/index.js';
import * as ops from '../../src/ops/index.js';
import { adamw, type OptimizerSpec, rmsprop, sgd } from '../../src/optim/index.js';
import type { Scalar } from '../../src/scalar.js';
import { linear } from '../../src/schedule/index.js';
import { keep, scope } from '../../src/tensor/scope.js';
import { liveTensors, type Tensor } from '../../src/tensor/tensor.js';
import { batchOf, type StepInputs, sameBits, type Trainable, trainable } from './trainable.js';

const [seconds, seed] = [Number(process.argv[2] ?? 5), Number(process.argv[3] ?? 1)];

let state = seed >>> 0;
/** An integer below n: xorshift, so that a seed tells the whole run. */
function draw(n: number): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  state >>>= 0;
  return state % n;
}
const pick = <T>(list: readonly T[]): T => list[draw(list.length)] as T;

const nets: readonly { readonly shape: readonly number[]; readonly make: () => nn.Sequential }[] = [
  {
    shape: [7],
    make: () => nn.sequential([nn.dense({ units: 9, activation: 'relu' }), nn.dropout(0.3), nn.dense({ units: 3 })]),
  },
  {
    shape: [6, 6, 2],
    make: () =>
      nn.sequential([
        nn.conv2d({ filters: 4, kernelSize: 3, padding: 'same' }),
        nn.batchNorm(),
        nn.activation('relu'),
        nn.maxPool2d(2),
        nn.flatten(),
        nn.dense({ units: 3 }),
      ]),
  },
  {
    shape: [5],
    make: () =>
      nn.sequential([
        nn.checkpointed(nn.sequential([nn.dense({ units: 8 }), nn.layerNorm(), nn.activation('gelu')])),
        nn.dense({ units: 3 }),
      ]),
  },
];
const specs: readonly (() => OptimizerSpec)[] = [
  () => sgd({ lr: linear({ from: 0.1, end: 0.01, steps: 50 }), momentum: 0.9, ema: { decay: 0.9 }, clipNorm: 1 }),
  () => adamw({ lr: 0.01, weightDecay: 0.1, ema: { decay: 0.5 } }),
  () => rmsprop({ lr: 0.01, ema: { decay: 0.5 } }),
];

interface Learner {
  readonly shape: readonly number[];
  readonly eager: Trainable;
  readonly replayed: Trainable;
  step: Captured<StepInputs, { t: Scalar }, { loss: Tensor; accuracy: Tensor }>;
  infer: Captured<{ x: Tensor }, Record<never, never>, Tensor>;
  t: number;
}

const captureStep = (net: Trainable): Learner['step'] =>
  capture((inputs: StepInputs, { t }: { t: Scalar }) => net.step(inputs, t), {
    plans: 1 + draw(3),
    confirm: draw(2) === 0,
  });
const captureInfer = (net: Trainable): Learner['infer'] =>
  capture(({ x }: { x: Tensor }) => net.model.forward(x, nn.evaluation));

function born(): Learner {
  const { shape, make } = pick(nets);
  const spec = pick(specs);
  const [eager, replayed] = [trainable(make(), shape, spec()), trainable(make(), shape, spec())];
  return { shape, eager, replayed, step: captureStep(replayed), infer: captureInfer(replayed), t: 0 };
}

function gone({ eager, replayed, step, infer }: Learner): void {
  if (draw(2) === 0) step.dispose();
  eager[Symbol.dispose]();
  replayed[Symbol.dispose]();
  // Sometimes after what they work on; the step's may be left to the collector.
  infer.dispose();
}

const values = (tensor: Tensor): Float32Array => tensor.dataSync() as Float32Array;
const count: Record<string, number> = {};

const actions: Readonly<Record<string, (learner: Learner) => void>> = {
  step(learner) {
    using batch = batchOf(1 + draw(5), learner.shape, 3, draw(1000));
    scope(() => {
      const [ours, theirs] = [learner.step(batch, { t: learner.t }), learner.eager.step(batch, learner.t)];
      learner.t++;
      if (draw(4) === 0) sameBits(values(ours.loss), values(theirs.loss), `loss of step ${learner.t}`);
    });
  },
  infer({ infer, eager, replayed, shape }) {
    using batch = batchOf(1 + draw(3), shape, 3, draw(1000));
    const compare = (): void =>
      scope(() =>
        sameBits(values(infer({ x: batch.x })), values(eager.model.forward(batch.x, nn.evaluation)), 'inference'),
      );
    if (draw(2) === 0) compare();
    else replayed.optimizer.withEma(() => eager.optimizer.withEma(compare));
  },
  freeze({ eager, replayed }) {
    const names = [...eager.model.namedParameters().keys()];
    const [name, frozen] = [pick(names), draw(2) === 0];
    for (const { optimizer } of [eager, replayed]) optimizer.setFrozen((other) => other === name, frozen);
  },
  again(learner) {
    learner.step.dispose();
    learner.step = captureStep(learner.replayed);
  },
  fail({ shape, replayed }) {
    using batch = batchOf(2, shape, 3, 1);
    using broken = capture(({ x }: { x: Tensor }) => {
      const y = keep(replayed.model.forward(x, nn.evaluation));
      try {
        if (draw(2) === 0) throw new RangeError('on purpose');
        return ops.softmaxCrossEntropy(y, ops.zeros([99], { dtype: 'i32' }));
      } finally {
        y.dispose();
      }
    });
    assert.throws(() => broken({ x: batch.x }));
  },
  threads() {
    setThreads(1 + draw(4));
  },
  trim() {
    trim();
  },
};

const before = [liveTensors(), memory().liveBuffers, memory().liveBytes];
const names = Object.keys(actions);
/** A function of its own, so that no variable of it keeps a captured function from being collected. */
async function soak(): Promise<void> {
  const learners: Learner[] = [];
  for (const end = performance.now() + 1000 * seconds; performance.now() < end; ) {
    if (learners.length === 0 || (learners.length < 4 && draw(20) === 0)) learners.push(born());
    const learner = pick(learners);
    const name = draw(3) > 0 ? 'step' : pick(names);
    count[name] = (count[name] ?? 0) + 1;
    actions[name]?.(learner);
    if (draw(40) === 0) gone(...(learners.splice(learners.indexOf(learner), 1) as [Learner]));
    // Let the event loop turn: finalizers run as tasks.
    if (draw(50) === 0) await sync();
  }
  for (const learner of learners) gone(learner);
}

await soak();
for (let i = 0; i < 100 && memory().liveBuffers > (before[1] ?? 0); i++) {
  globalThis.gc?.();
  await new Promise((done) => setTimeout(done, 10));
}
if (globalThis.gc) assert.deepEqual([liveTensors(), memory().liveBuffers, memory().liveBytes], before);
console.log(JSON.stringify(count));
