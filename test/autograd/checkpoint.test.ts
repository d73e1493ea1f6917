// Checkpoints: the same gradients, to the last bit, from less memory.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as autograd from '../../src/autograd/index.js';
import { capture } from '../../src/capture/index.js';
import { memory } from '../../src/device.js';
import * as nn from '../../src/nn/index.js';
import * as ops from '../../src/ops/index.js';
import { create, sgd } from '../../src/optim/index.js';
import { scope } from '../../src/tensor/scope.js';
import { liveTensors, type Tensor, tensor } from '../../src/tensor/tensor.js';
import { refuses } from '../support/refuses.js';

type Wrap = (layer: nn.Module) => nn.Module;

const block = (): nn.Module =>
  nn.sequential([
    nn.dense({ units: 64 }),
    nn.batchNorm(),
    nn.activation('relu'),
    nn.dropout(0.2),
    nn.dense({ units: 16 }),
  ]);

/** A net of blocks, each wrapped; its optimizer and a step of training. */
function network(wrap: Wrap) {
  const model = nn.sequential({ a: wrap(block()), b: wrap(block()), c: wrap(block()), d: nn.dense({ units: 3 }) });
  model.build([16], 1);
  const optimizer = create(sgd({ lr: 0.05, momentum: 0.9 }), model.namedParameters());
  const step = ({ x, y }: { x: Tensor; y: Tensor }): Tensor => {
    const loss = ops.softmaxCrossEntropy(model.forward(x, { training: true, seed: 3, step: 0 }), y);
    optimizer.zeroGrad();
    autograd.backward(loss);
    optimizer.step();
    return loss;
  };
  return {
    model,
    optimizer,
    step,
    [Symbol.dispose]() {
      optimizer.dispose();
      model.dispose();
    },
  };
}

const valuesOf = (net: ReturnType<typeof network>): number[] =>
  [...net.model.namedParameters().values(), ...net.model.namedBuffers().values()].flatMap((each) => [
    ...each.dataSync(),
  ]);

test('a net of checkpoints learns the same, keeps less, and its plan needs less memory', () => {
  const before = [liveTensors(), memory().liveBuffers];
  {
    using plain = network((layer) => layer);
    using checkpoints = network(nn.checkpointed);
    using captured = network(nn.checkpointed);
    using replay = capture(captured.step);
    using plainReplay = capture(plain.step);
    for (let i = 0; i < 4; i++) {
      scope(() => {
        const x = ops.normal([32, 16], { seed: i });
        const y = tensor(Int32Array.from({ length: 32 }, (_, k) => (k + i) % 3));
        const losses = [plainReplay, checkpoints.step, replay].map((step) => step({ x, y }).itemSync());
        assert.deepEqual(losses, Array(3).fill(losses[0]));
      });
    }
    assert.deepEqual(valuesOf(checkpoints), valuesOf(plain));
    assert.deepEqual(valuesOf(captured), valuesOf(plain));
    const [less, all] = [replay.plans[0]?.arenaBytes ?? 0, plainReplay.plans[0]?.arenaBytes ?? 0];
    assert.ok(less < 0.7 * all, `${less} bytes with checkpoints, ${all} without`);
  }
  assert.deepEqual([liveTensors(), memory().liveBuffers], before);
});

test('between forward and backward only arguments and results are alive', () => {
  scope(() => {
    const x = ops.normal([8, 4], { seed: 1 }).requireGrad();
    const deep = (t: Tensor): Tensor => ops.tanh(ops.mul(ops.exp(ops.sin(t)), ops.cos(t)));
    const before = liveTensors();
    const y = autograd.checkpoint(deep)(x);
    assert.equal(liveTensors(), before + 1);
    autograd.backward(ops.sum(y));
    const expected = autograd.grad((t) => ops.sum(deep(t)))(x);
    assert.deepEqual(x.grad?.dataSync(), expected[0]?.dataSync());
    x.grad?.dispose();
  });
});

test('gradients flow through several arguments, to parameters beyond them, and only where wanted', () => {
  scope(() => {
    const weight = ops.normal([3, 3], { seed: 1 }).requireGrad();
    const [a, b, c] = [2, 3, 4].map((seed) => ops.normal([3, 3], { seed }));
    assert.ok(a && b && c);
    a.requireGrad();
    c.requireGrad();
    const fn = (p: Tensor, q: Tensor, r: Tensor): Tensor => ops.add(ops.matmul(ops.mul(p, q), weight), ops.mul(r, p));
    const gradientsOf = (f: typeof fn): Float32Array[] => {
      autograd.backward(ops.sum(ops.square(f(a, b, c))));
      return [a, c, weight].map((leaf) => {
        const values = leaf.grad?.dataSync() ?? new Float32Array();
        leaf.grad?.dispose();
        leaf.grad = null;
        return values;
      });
    };
    assert.deepEqual(gradientsOf(autograd.checkpoint(fn)), gradientsOf(fn));
    assert.equal(b.grad, null);
    // The parameter alone wants one.
    const x = ops.normal([2, 3], { seed: 5 });
    const y = autograd.checkpoint((t: Tensor) => ops.matmul(t, weight))(x);
    assert.ok(y.requiresGrad);
    // Nobody does.
    assert.equal(autograd.checkpoint((t: Tensor) => ops.neg(t))(x).requiresGrad, false);
    assert.equal(
      autograd.noGrad(() => autograd.checkpoint((t: Tensor) => ops.matmul(t, weight))(x)).requiresGrad,
      false,
    );
  });
});

test('second derivatives are refused, and so is an argument that changed', () => {
  scope(() => {
    const x = tensor([1, 2]).requireGrad();
    const y = autograd.checkpoint((t: Tensor) => ops.exp(t))(x);
    refuses(
      () => autograd.gradients(ops.sum(y), [x], undefined, { createGraph: true }),
      'E_ARGUMENT',
      /without createGraph/,
    );
    const z = autograd.checkpoint((t: Tensor) => ops.exp(t))(x);
    x.write([3, 4]);
    refuses(() => autograd.backward(ops.sum(z)), 'E_ARGUMENT', /modified in place/);
  });
});
